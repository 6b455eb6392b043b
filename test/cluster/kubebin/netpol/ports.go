package netpol

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A portName stands for the ports of that name and protocol, whatever their numbers are.
type portName struct {
	name     string
	protocol corev1.Protocol
}

// on is what the name stands for on a pod.
func (p portName) on(pod Pod) []PortRange {
	var ports []PortRange
	for _, port := range pod.Ports {
		if port.Name == p.name && port.Protocol == p.protocol {
			ports = append(ports, PortRange{p.protocol, port.Number, port.Number})
		}
	}
	return ports
}

// splitPorts separates numbers, which mean the same everywhere, from names. A port without a protocol is TCP; one
// without a number is all of its protocol; endPort makes a range.
func splitPorts(ports []networkingv1.NetworkPolicyPort) (numbers []PortRange, names []portName) {
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		switch {
		case port.Port == nil:
			numbers = append(numbers, PortRange{protocol, 0, math.MaxUint16})
		case port.Port.Type == intstr.String:
			names = append(names, portName{port.Port.StrVal, protocol})
		default:
			last := port.Port.IntVal
			if port.EndPort != nil {
				last = *port.EndPort
			}
			numbers = append(numbers, PortRange{protocol, uint16(port.Port.IntVal), uint16(last)})
		}
	}
	return numbers, names
}
