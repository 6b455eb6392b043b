package netpol

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A World is what the API shows at one moment: all that the rules depend on.
type World struct {
	Pods []Pod
	// Namespaces maps names to labels.
	Namespaces map[string]labels.Set
	Policies   []*networkingv1.NetworkPolicy
}

// A Pod is one that has an address of its own and may send and receive.
type Pod struct {
	Namespace string
	Name      string
	Labels    labels.Set
	Address   netip.Addr
	Ports     []NamedPort
	// Created settles who owns an address that two pods seem to have: the younger one, for the elder is being removed.
	Created time.Time
}

// A NamedPort is a port of a container that policies can refer to by its name.
type NamedPort struct {
	Name     string
	Protocol corev1.Protocol
	Number   uint16
}

// podOf reads a pod; false when no rule concerns it: it has no IPv4 address yet, uses the node's, or has ended.
func podOf(pod *corev1.Pod) (Pod, bool) {
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !address.Is4() || pod.Spec.HostNetwork || ended {
		return Pod{}, false
	}
	return Pod{
		Namespace: pod.Namespace,
		Name:      pod.Name,
		Labels:    pod.Labels,
		Address:   address,
		Ports:     namedPorts(&pod.Spec),
		Created:   pod.CreationTimestamp.Time,
	}, true
}

// namedPorts are those of the containers that run beside each other: init containers only when they are sidecars.
func namedPorts(spec *corev1.PodSpec) []NamedPort {
	containers := append([]corev1.Container{}, spec.Containers...)
	for _, container := range spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, container)
		}
	}
	var ports []NamedPort
	for _, container := range containers {
		for _, port := range container.Ports {
			if port.Name != "" {
				protocol := port.Protocol
				if protocol == "" {
					protocol = corev1.ProtocolTCP
				}
				ports = append(ports, NamedPort{port.Name, protocol, uint16(port.ContainerPort)})
			}
		}
	}
	return ports
}

// worldOf reads what the caches hold.
func worldOf(pods []*corev1.Pod, namespaces []*corev1.Namespace, policies []*networkingv1.NetworkPolicy) World {
	world := World{Namespaces: map[string]labels.Set{}, Policies: policies}
	for _, pod := range pods {
		if read, concerned := podOf(pod); concerned {
			world.Pods = append(world.Pods, read)
		}
	}
	for _, namespace := range namespaces {
		world.Namespaces[namespace.Name] = namespace.Labels
	}
	return world
}
