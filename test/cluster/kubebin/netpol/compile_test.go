package netpol

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// Each test is about one sentence of the API's own description (k8s.io/api/networking/v1, types.go), which it quotes.

func one(t *testing.T, spec string) []*networkingv1.NetworkPolicy {
	t.Helper()
	return []*networkingv1.NetworkPolicy{redPolicy(t, spec)}
}

// "Traffic is allowed to a pod if there are no NetworkPolicies selecting the pod"
func TestPodsThatNoPolicySelectsAreOpen(t *testing.T) {
	check(t, one(t, `podSelector: {matchLabels: {app: server}}`), `
		red/client > red/other tcp 8080
		red/client > blue/server udp 53
		outside > red/other tcp 1
	`, `
		red/client > red/server tcp 8080
	`)
}

// "An empty selector matches all pods in the policy's namespace"
func TestAnEmptyPodSelectorSelectsTheWholeNamespaceAndNoOther(t *testing.T) {
	check(t, one(t, `podSelector: {}`), `
		red/client > blue/server tcp 8080
		red/client > blue/client tcp 8080
	`, `
		blue/client > red/server tcp 8080
		blue/client > red/other tcp 8080
		red/other > red/client tcp 1
	`)
}

// "If this field is empty then this NetworkPolicy does not allow any traffic (and serves solely to ensure that the pods it
// selects are isolated by default)"
func TestNoIngressRuleAllowsNoIngress(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: []}`), `
		red/server > red/client tcp 8080
	`, `
		red/client > red/server tcp 8080
		outside > red/server tcp 8080
	`)
}

// "If policyTypes is not specified, it will default based on the existence of ingress or egress rules; policies that
// contain an egress section are assumed to affect egress, and all policies (whether or not they contain an ingress section)
// are assumed to affect ingress."
func TestPolicyTypesDefaultByWhatRulesThereAre(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, egress: [{}]}`), `
		red/server > red/client tcp 1
	`, `
		red/client > red/server tcp 8080
	`)
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{}]}`), `
		red/server > red/client tcp 1
		red/client > red/server tcp 1
	`, ``)
}

// "If you want to write an egress-only policy, you must explicitly specify policyTypes [ \"Egress\" ]." and "if you want to
// write a policy that specifies that no egress is allowed, you must specify a policyTypes value that include \"Egress\""
func TestNamedPolicyTypesAreTheOnlyOnesAffected(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, policyTypes: [Egress]}`), `
		red/client > red/server tcp 8080
	`, `
		red/server > red/client tcp 1
		red/server > outside tcp 443
		red/server > node tcp 6443
	`)
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress], egress: []}`), `
		red/server > red/client tcp 1
	`, `
		red/client > red/server tcp 1
	`)
}

// from: "If this field is empty or missing, this rule matches all sources (traffic not restricted by source)."
// ports: "If this field is empty or missing, this rule matches all ports (traffic not restricted by port)."
func TestAnEmptyRuleMatchesEverything(t *testing.T) {
	for _, rule := range []string{`{}`, `{from: [], ports: []}`} {
		check(t, one(t, `{podSelector: {}, ingress: [`+rule+`]}`), `
			outside > red/server tcp 8080
			blue/client > red/server udp 1
			red/other > red/client sctp 65535
		`, ``)
	}
}

// from: "Items in this list are combined using a logical OR operation. [...] If this field is present and contains at least
// one item, this rule allows traffic only if the traffic matches at least one item in the from list."
func TestPeersAreAlternatives(t *testing.T) {
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress:
- from:
  - podSelector: {matchLabels: {role: client}}
  - ipBlock: {cidr: 198.51.100.0/24}
`), `
		red/client > red/server tcp 1
		outside > red/server tcp 1
	`, `
		red/other > red/server tcp 1
	`)
}

// podSelector: "If namespaceSelector is also set, then the NetworkPolicyPeer as a whole selects the pods matching podSelector
// in the Namespaces selected by NamespaceSelector. Otherwise it selects the pods matching podSelector in the policy's own
// namespace."
func TestAPodSelectorAloneLooksInItsOwnNamespace(t *testing.T) {
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress: [{from: [{podSelector: {matchLabels: {role: client}}}]}]
`), `
		red/client > red/server tcp 1
	`, `
		blue/client > red/server tcp 1
		red/other > red/server tcp 1
	`)
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {role: client}}}]}]
`), `
		blue/client > red/server tcp 1
	`, `
		blue/server > red/server tcp 1
		red/client > red/server tcp 1
	`)
}

// podSelector: "This field follows standard label selector semantics; if present but empty, it selects all pods."
func TestAnEmptyPodSelectorOfAPeerIsEveryPodOfTheNamespace(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {}}]}]}`), `
		red/client > red/server tcp 1
		red/other > red/server tcp 1
	`, `
		blue/client > red/server tcp 1
		outside > red/server tcp 1
	`)
}

// namespaceSelector: "if present but empty, it selects all namespaces. [...] Otherwise it selects all pods in the namespaces
// selected by namespaceSelector."
func TestANamespaceSelectorMeansAllItsPodsAndNobodyOutside(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {}}]}]}`), `
		red/other > red/server tcp 1
		blue/server > red/server tcp 1
	`, `
		outside > red/server tcp 1
	`)
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [red]}]}}]}]
`), `
		blue/server > red/server tcp 1
		blue/client > red/server tcp 1
	`, `
		red/other > red/server tcp 1
	`)
}

// ipBlock: "except is a slice of CIDRs that should not be included within an ipBlock"
func TestExceptionsAreNotWithinABlock(t *testing.T) {
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/24, 10.244.0.2/32, 203.0.113.0/24]}}]}]
`), `
		outside > red/server tcp 1
		blue/client > red/server tcp 1
	`, `
		red/client > red/server tcp 1
		red/other > red/server tcp 1
	`)
}

// protocol: "If not specified, this field defaults to TCP." port: "If this field is not provided, this matches all port names
// and numbers."
func TestAPortWithoutANumberIsAllOfItsProtocol(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{}]}]}`), `
		red/client > red/server tcp 1
		outside > red/server tcp 65535
	`, `
		red/client > red/server udp 1
	`)
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{protocol: UDP}]}]}`), `
		red/client > red/server udp 53
	`, `
		red/client > red/server tcp 53
	`)
}

// endPort: "if set, indicates that the range of ports from port to endPort, inclusive, should be allowed by the policy."
func TestARangeHoldsBothItsEnds(t *testing.T) {
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8000, endPort: 8080}, {port: 9}]}]}`), `
		red/client > red/server tcp 8000
		red/client > red/server tcp 8080
		red/client > red/server tcp 9
	`, `
		red/client > red/server tcp 7999
		red/client > red/server tcp 8081
		red/client > red/server tcp 10
		red/client > red/server udp 8001
	`)
}

// port: "This can either be a numerical or named port on a pod." The pod is the one that receives.
func TestANameIsTheReceiversPort(t *testing.T) {
	check(t, one(t, `{podSelector: {}, ingress: [{ports: [{port: web}]}]}`), `
		blue/client > red/server tcp 8080
		blue/client > red/client tcp 9999
	`, `
		blue/client > red/client tcp 8080
		blue/client > red/server tcp 9999
	`)
	check(t, one(t, `{podSelector: {matchLabels: {app: server}}, policyTypes: [Egress], egress: [{ports: [{port: web}]}]}`), `
		red/server > red/client tcp 9999
		red/server > blue/client tcp 8080
	`, `
		red/server > red/client tcp 8080
		red/server > outside tcp 8080
	`)
}

// A name that no pod has, or has for another protocol, opens nothing: the list of ports is not empty.
func TestAnUnknownNameOpensNothing(t *testing.T) {
	for _, port := range []string{`{port: nothing}`, `{port: web, protocol: UDP}`} {
		check(t, one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [`+port+`]}]}`), ``, `
			red/client > red/server tcp 8080
			red/client > red/server udp 8080
		`)
		check(t, one(t, `{podSelector: {matchLabels: {app: server}}, egress: [{ports: [`+port+`]}]}`), ``, `
			red/server > red/client tcp 9999
			red/server > outside tcp 8080
		`)
	}
}

// ingress: "Traffic is allowed to a pod if [...] the traffic matches at least one ingress rule across all of the NetworkPolicy
// objects whose podSelector matches the pod."
func TestPoliciesAddUp(t *testing.T) {
	policies := append(
		one(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 80}]}]}`),
		one(t, `{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {role: client}}}]}]}`)...)
	check(t, policies, `
		outside > red/server tcp 80
		red/client > red/server tcp 81
		red/client > red/other tcp 1
	`, `
		outside > red/server tcp 81
		outside > red/other tcp 80
	`)
}

// Both ends have to allow it: the sender's egress and the receiver's ingress.
func TestSenderAndReceiverBothHaveToAllowIt(t *testing.T) {
	egress := redPolicy(t, `{podSelector: {matchLabels: {role: client}}, policyTypes: [Egress], egress: [{ports: [{port: 1, endPort: 2}]}]}`)
	ingress := redPolicy(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 2, endPort: 3}]}]}`)
	check(t, []*networkingv1.NetworkPolicy{egress, ingress}, `
		red/client > red/server tcp 2
	`, `
		red/client > red/server tcp 1
		red/client > red/server tcp 3
	`)
}

// A pod always reaches itself, whatever its policies say.
func TestAPodReachesItself(t *testing.T) {
	check(t, one(t, `{podSelector: {}, policyTypes: [Ingress, Egress]}`), `
		red/server > red/server tcp 8080
	`, `
		red/server > red/client tcp 8080
	`)
}

// An address of the pod network that the API does not show belongs to a pod that has just started.
func TestAPodThatIsNotKnownYetMayNeitherSendNorReceive(t *testing.T) {
	world := testWorld()
	world.Pods = world.Pods[:1]
	rules := Compile(world, network)
	for _, line := range []string{"red/client > outside tcp 1", "red/server > red/client tcp 1", "outside > red/client tcp 1"} {
		c := parseConnection(t, line)
		if rules.Permits(network, c.from, c.to, c.protocol, c.port) {
			t.Errorf("%s passes", line)
		}
	}
}

// A policy whose selector cannot be read opens nothing.
func TestWhatIsNotUnderstoodOpensNothing(t *testing.T) {
	check(t, one(t, `
podSelector: {matchLabels: {app: server}}
ingress:
- from:
  - podSelector: {matchExpressions: [{key: role, operator: Near, values: [x]}]}
  - ipBlock: {cidr: nonsense}
  - ipBlock: {cidr: 0.0.0.0/0, except: [nonsense]}
`), ``, `
		red/client > red/server tcp 1
		outside > red/server tcp 1
	`)
}
