// Command kubebin is every program of the test cluster in one binary.
//
// The component is chosen by the name the binary is called under (a link named "kubelet" is the kubelet), else by the
// first argument ("kubebin kubelet --config=…"). One binary instead of ten shares its libraries: 155 MB instead of more
// than 600, and one link step instead of ten.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A component takes over the process: it reads os.Args and does not return.
type component struct {
	name string
	run  func() int
}

func main() {
	if called, found := find(filepath.Base(os.Args[0])); found {
		os.Exit(called.run())
	}
	if len(os.Args) > 1 {
		if named, found := find(os.Args[1]); found {
			os.Args = os.Args[1:]
			os.Exit(named.run())
		}
	}
	fmt.Fprintf(os.Stderr, "usage: kubebin COMPONENT [FLAG…]\nThe components are %s.\n", strings.Join(names(), ", "))
	os.Exit(2)
}

func find(name string) (component, bool) {
	for _, candidate := range components {
		if candidate.name == name {
			return candidate, true
		}
	}
	return component{}, false
}

func names() []string {
	var all []string
	for _, component := range components {
		all = append(all, component.name)
	}
	return all
}

// exitCode prints an error the way a command-line program does, and says with what code to exit.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	return 1
}
