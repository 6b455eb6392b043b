package netpol

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

func readPod(t *testing.T, text string) (Pod, bool) {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), pod); err != nil {
		t.Fatal(err)
	}
	return podOf(pod)
}

func TestPodsWithoutAnAddressOfTheirOwnAreNotConcerned(t *testing.T) {
	for _, text := range []string{
		`{status: {phase: Pending}}`,
		`{status: {phase: Running, podIP: "fd00::1"}}`,
		`{spec: {hostNetwork: true, containers: []}, status: {phase: Running, podIP: 10.250.0.1}}`,
		`{status: {phase: Succeeded, podIP: 10.244.0.1}}`,
		`{status: {phase: Failed, podIP: 10.244.0.1}}`,
	} {
		if _, concerned := readPod(t, text); concerned {
			t.Errorf("%s is concerned", text)
		}
	}
}

func TestPortsOfSidecarsCountAndThoseOfInitContainersDoNot(t *testing.T) {
	pod, concerned := readPod(t, `
spec:
  containers:
  - {name: a, ports: [{name: web, containerPort: 80}, {containerPort: 81}]}
  initContainers:
  - {name: b, restartPolicy: Always, ports: [{name: dns, containerPort: 53, protocol: UDP}]}
  - {name: c, ports: [{name: gone, containerPort: 1}]}
status: {phase: Running, podIP: 10.244.0.1}
`)
	expected := []NamedPort{{"web", corev1.ProtocolTCP, 80}, {"dns", corev1.ProtocolUDP, 53}}
	if !concerned || !slices.Equal(pod.Ports, expected) {
		t.Errorf("ports are %v", pod.Ports)
	}
}

func TestAnAddressBelongsToTheYoungestPodThatHasIt(t *testing.T) {
	old := testPod("red", "old", "10.244.0.9", labels.Set{"app": "server"}, 1)
	young := testPod("red", "young", "10.244.0.9", labels.Set{}, 1)
	young.Created = old.Created.Add(time.Second)
	for _, pods := range [][]Pod{{old, young}, {young, old}} {
		world := testWorld(redPolicy(t, `podSelector: {matchLabels: {app: server}}`))
		world.Pods = pods
		rules := Compile(world, network)
		if len(rules) != 1 || rules[netip.MustParseAddr("10.244.0.9")].Ingress.Isolated {
			t.Errorf("the rules are those of the old pod: %v", rules)
		}
	}
}
