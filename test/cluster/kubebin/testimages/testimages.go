// Package testimages writes the two images that every test cluster has: the pause image and a shell.
//
// An image is one layer and its configuration in the archive form of `docker save`, which containerd imports. Nothing is
// pulled. Entry: [Main].
package testimages

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Pause and Busybox are the names under which the images are imported.
const (
	Pause   = "localhost/pause:1"
	Busybox = "localhost/busybox:1"
)

// Main writes pause.tar and busybox.tar into the folder that its flags name.
func Main(args []string) error {
	flags := flag.NewFlagSet("testimages", flag.ContinueOnError)
	folder := flags.String("folder", "", "where to write the archives")
	pause := flags.String("pause", "", "a static program that waits")
	busybox := flags.String("busybox", "", "a static busybox")
	architecture := flags.String("architecture", "amd64", "what the programs are compiled for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pauseFile, err := program(*pause, "pause")
	if err != nil {
		return err
	}
	shellFiles, err := shell(*busybox)
	if err != nil {
		return err
	}
	images := map[string]image{
		"pause.tar":   {name: Pause, entrypoint: []string{"/pause"}, files: []tarFile{pauseFile}},
		"busybox.tar": {name: Busybox, command: []string{"/bin/sh"}, files: shellFiles},
	}
	for file, image := range images {
		archive, err := image.archive(*architecture)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*folder, file), archive, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shell is busybox, a link for each of its applets, and the few files that programs expect.
func shell(path string) ([]tarFile, error) {
	busybox, err := program(path, "bin/busybox")
	if err != nil {
		return nil, err
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, err
	}
	files := []tarFile{folder("bin/", 0o755), folder("etc/", 0o755), folder("root/", 0o700), folder("tmp/", 0o1777), busybox}
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" {
			files = append(files, link("bin/"+applet, "busybox"))
		}
	}
	accounts := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
	return append(files, regular("etc/passwd", 0o644, []byte(accounts))), nil
}

func program(path, name string) (tarFile, error) {
	content, err := os.ReadFile(path)
	return regular(name, 0o755, content), err
}

type tarFile struct {
	header  tar.Header
	content []byte
}

func regular(name string, mode int64, content []byte) tarFile {
	return tarFile{tar.Header{Name: name, Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg}, content}
}

func folder(name string, mode int64) tarFile {
	return tarFile{header: tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeDir}}
}

func link(name, target string) tarFile {
	return tarFile{header: tar.Header{Name: name, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink}}
}

func pack(files []tarFile) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, file := range files {
		if err := writer.WriteHeader(&file.header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return buffer.Bytes(), err
}

type image struct {
	name       string
	entrypoint []string
	command    []string
	files      []tarFile
}

// archive is the image as `docker save` would write it. The same files always give the same bytes.
func (i image) archive(architecture string) ([]byte, error) {
	layer, err := pack(i.files)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": architecture,
		"os":           "linux",
		"created":      "1970-01-01T00:00:00Z",
		"config": map[string]any{
			"Entrypoint": i.entrypoint,
			"Cmd":        i.command,
			"Env":        []string{"PATH=/bin"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return nil, err
	}
	configName := digest(config) + ".json"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{i.name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return nil, err
	}
	return pack([]tarFile{
		regular("manifest.json", 0o644, manifest),
		regular(configName, 0o644, config),
		regular("layer.tar", 0o644, layer),
	})
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
