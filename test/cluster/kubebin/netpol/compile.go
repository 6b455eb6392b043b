package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// Compile says what the policies of the world mean for each pod whose address lies in the pod network.
//
// Policies add up: a direction is isolated when any policy that selects the pod names it, and passes what any of them
// allows. Pure: the same world gives the same rules.
func Compile(world World, podNetwork netip.Prefix) Rules {
	selection := newSelection(world)
	rules := Rules{}
	for _, pod := range selection.pods {
		if !podNetwork.Contains(pod.Address) {
			continue
		}
		var compiled PodRules
		for _, policy := range world.Policies {
			if !selection.selects(policy, pod) {
				continue
			}
			ingress, egress := directions(&policy.Spec)
			if ingress {
				compiled.Ingress.Isolated = true
				for _, rule := range policy.Spec.Ingress {
					compiled.Ingress.add(selection.ingress(policy.Namespace, rule, pod))
				}
			}
			if egress {
				compiled.Egress.Isolated = true
				for _, rule := range policy.Spec.Egress {
					compiled.Egress.add(selection.egress(policy.Namespace, rule)...)
				}
			}
		}
		rules[pod.Address] = compiled
	}
	return rules
}

// directions says which directions a policy isolates. Without policyTypes it is ingress, and egress when there is a
// rule for it.
func directions(spec *networkingv1.NetworkPolicySpec) (ingress, egress bool) {
	if len(spec.PolicyTypes) == 0 {
		return true, len(spec.Egress) > 0
	}
	return slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress),
		slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
}

// add appends what can match at all.
func (d *Direction) add(allowed ...Allow) {
	for _, allow := range allowed {
		matchesNoPort := allow.Ports != nil && len(allow.Ports) == 0
		if !allow.Peers.empty() && !matchesNoPort {
			d.Allow = append(d.Allow, allow)
		}
	}
}

// ingress compiles one rule for one receiver. Names of ports are the receiver's.
func (s *selection) ingress(namespace string, rule networkingv1.NetworkPolicyIngressRule, receiver Pod) Allow {
	numbers, names := splitPorts(rule.Ports)
	for _, name := range names {
		numbers = append(numbers, name.on(receiver)...)
	}
	allow := Allow{Peers: peersOf(s.peers(namespace, rule.From))}
	if len(rule.Ports) > 0 {
		allow.Ports = sorted(append([]PortRange{}, numbers...))
	}
	return allow
}

// egress compiles one rule. Names of ports are the peers', so each number that a name stands for gets an Allow with the
// pods for which it does; a name means nothing at an address that is no pod's.
func (s *selection) egress(namespace string, rule networkingv1.NetworkPolicyEgressRule) []Allow {
	found := s.peers(namespace, rule.To)
	if len(rule.Ports) == 0 {
		return []Allow{{Peers: peersOf(found)}}
	}
	numbers, names := splitPorts(rule.Ports)
	allowed := []Allow{{Peers: peersOf(found), Ports: sorted(append([]PortRange{}, numbers...))}}
	holders := map[PortRange][]netip.Addr{}
	for _, name := range names {
		for _, pod := range found.pods {
			for _, port := range name.on(pod) {
				// Two names may stand for one port of a pod.
				if !slices.Contains(holders[port], pod.Address) {
					holders[port] = append(holders[port], pod.Address)
				}
			}
		}
	}
	for port, addresses := range holders {
		allowed = append(allowed, Allow{Peers: Peers{Addresses: addresses}, Ports: []PortRange{port}})
	}
	return allowed
}

// peersOf keeps of found peers what packets show.
func peersOf(found foundPeers) Peers {
	if found.everybody {
		return Peers{Everybody: true}
	}
	peers := Peers{Blocks: found.blocks}
	for _, pod := range found.pods {
		peers.Addresses = append(peers.Addresses, pod.Address)
	}
	return peers
}
