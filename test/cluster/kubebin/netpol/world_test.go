package netpol

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// The network that the tests' pods get their addresses from.
var network = netip.MustParsePrefix("10.244.0.0/16")

// The cluster of the tests: two namespaces, in each a server and a client.
//
//	red   (team=red):  server 10.244.0.1 (app=server), client 10.244.0.2 (role=client), other 10.244.0.3
//	blue  (team=blue): server 10.244.1.1 (app=server), client 10.244.1.2 (role=client)
//
// Every pod calls its port 8080 "web", but red's client, whose "web" is 9999.
func testWorld(policies ...*networkingv1.NetworkPolicy) World {
	return World{
		Namespaces: map[string]labels.Set{
			"red":  {"team": "red", "kubernetes.io/metadata.name": "red"},
			"blue": {"team": "blue", "kubernetes.io/metadata.name": "blue"},
		},
		Pods: []Pod{
			testPod("red", "server", "10.244.0.1", labels.Set{"app": "server"}, 8080),
			testPod("red", "client", "10.244.0.2", labels.Set{"role": "client"}, 9999),
			testPod("red", "other", "10.244.0.3", labels.Set{}, 8080),
			testPod("blue", "server", "10.244.1.1", labels.Set{"app": "server"}, 8080),
			testPod("blue", "client", "10.244.1.2", labels.Set{"role": "client"}, 8080),
		},
		Policies: policies,
	}
}

func testPod(namespace, name, address string, set labels.Set, web uint16) Pod {
	return Pod{
		Namespace: namespace,
		Name:      name,
		Labels:    set,
		Address:   netip.MustParseAddr(address),
		Ports:     []NamedPort{{"web", corev1.ProtocolTCP, web}},
		Created:   time.Unix(1000, 0),
	}
}

// redPolicy reads the spec of a policy in the namespace "red".
func redPolicy(t *testing.T, spec string) *networkingv1.NetworkPolicy {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{}
	policy.Namespace = "red"
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatal(err)
	}
	return policy
}

var addresses = map[string]string{
	"red/server": "10.244.0.1", "red/client": "10.244.0.2", "red/other": "10.244.0.3",
	"blue/server": "10.244.1.1", "blue/client": "10.244.1.2",
	"outside": "198.51.100.7", "node": "10.250.0.1",
}

// A connection is written "red/client > red/server tcp 8080".
type connection struct {
	from, to netip.Addr
	protocol corev1.Protocol
	port     uint16
}

func parseConnection(t *testing.T, text string) connection {
	t.Helper()
	words := strings.Fields(text)
	if len(words) != 5 || addresses[words[0]] == "" || addresses[words[2]] == "" {
		t.Fatalf("not a connection: %q", text)
	}
	var port uint16
	for _, digit := range words[4] {
		port = port*10 + uint16(digit-'0')
	}
	return connection{
		from:     netip.MustParseAddr(addresses[words[0]]),
		to:       netip.MustParseAddr(addresses[words[2]]),
		protocol: corev1.Protocol(strings.ToUpper(words[3])),
		port:     port,
	}
}

// check compiles the policies and tries connections, one a line: those that pass, and those that do not.
func check(t *testing.T, policies []*networkingv1.NetworkPolicy, pass, drop string) {
	t.Helper()
	rules := Compile(testWorld(policies...), network)
	for lines, expected := range map[string]bool{pass: true, drop: false} {
		for _, line := range strings.Split(lines, "\n") {
			if strings.TrimSpace(line) == "" {
				continue
			}
			c := parseConnection(t, line)
			if rules.Permits(network, c.from, c.to, c.protocol, c.port) != expected {
				t.Errorf("%s: passes is %t", strings.TrimSpace(line), !expected)
			}
		}
	}
}
