package netpol

import (
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

func text(t *testing.T, specs ...string) string {
	t.Helper()
	var policies []*networkingv1.NetworkPolicy
	for _, spec := range specs {
		policies = append(policies, redPolicy(t, spec))
	}
	return Compile(testWorld(policies...), network).Text(network)
}

func lineWith(t *testing.T, text, part string) string {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("there is no %q in:\n%s", part, text)
	return ""
}

func TestTheTableIsReplacedAsAWhole(t *testing.T) {
	if !strings.HasPrefix(text(t), "table ip netpol\ndelete table ip netpol\ntable ip netpol {\n") {
		t.Error("old rules would stay beside new ones")
	}
}

func TestWithoutPoliciesKnownPodsPassAndUnknownOnesAreDropped(t *testing.T) {
	open := text(t)
	if strings.Contains(open, "goto") {
		t.Error("a pod that nothing isolates has rules")
	}
	chain := open[strings.Index(open, "chain from {"):]
	if !strings.HasPrefix(chain, "chain from {\n    ip saddr vmap @egress\n    drop\n  }\n") {
		t.Errorf("an address that is not in the map passes:\n%s", chain)
	}
}

func TestARuleSaysPeersAndPorts(t *testing.T) {
	spec := `
podSelector: {matchLabels: {app: server}}
ingress:
- from:
  - podSelector: {matchLabels: {role: client}}
  - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.1.2.0/24]}
  ports: [{port: 80}, {port: 8000, endPort: 8080, protocol: UDP}]
`
	rendered := text(t, spec)
	for _, line := range []string{
		"    ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } tcp dport 80 return\n",
		"    ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } udp dport 8000-8080 return\n",
		"    ip saddr { 10.244.0.2 } tcp dport 80 return\n",
		"    ip saddr { 10.244.0.2 } udp dport 8000-8080 return\n    drop\n",
	} {
		if !strings.Contains(rendered, line) {
			t.Errorf("there is no %q in:\n%s", line, rendered)
		}
	}
	ingress := lineWith(t, rendered, "10.244.0.1 : goto in-")
	if !strings.Contains(ingress, "10.244.0.2 : return") {
		t.Errorf("the client is not open: %s", ingress)
	}
}

func TestEgressLooksAtTheDestination(t *testing.T) {
	rendered := text(t, `{podSelector: {matchLabels: {app: server}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}`)
	lineWith(t, rendered, "10.244.0.1 : goto out-")
	if line := lineWith(t, rendered, "10.244.0.3 } return"); !strings.HasPrefix(line, "ip daddr {") {
		t.Error(line)
	}
}

func TestPodsWithTheSameRulesShareAChain(t *testing.T) {
	rendered := text(t, `{podSelector: {}, ingress: [{ports: [{port: 80}]}]}`)
	if count := strings.Count(rendered, "chain in-"); count != 1 {
		t.Errorf("there are %d chains:\n%s", count, rendered)
	}
}

func TestTheOrderOfWhatTheAPIListsDoesNotMatter(t *testing.T) {
	a := `{podSelector: {}, ingress: [{ports: [{port: 80}, {port: 81}]}]}`
	b := `{podSelector: {}, ingress: [{ports: [{port: 79}]}], egress: [{ports: [{port: web}]}], policyTypes: [Ingress, Egress]}`
	first := text(t, a, b)
	for range 20 {
		if text(t, b, a) != first {
			t.Fatal("the same world gives another text, which would be loaded for nothing")
		}
	}
}
