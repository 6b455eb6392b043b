package netpol

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Rules say for each pod what it may send and receive. A pod without an entry may do neither: the API does not show its
// address yet, so nobody can say whether a policy selects it.
type Rules map[netip.Addr]PodRules

// PodRules are the two directions of one pod.
type PodRules struct {
	Ingress Direction
	Egress  Direction
}

// A Direction is open unless a policy isolates it; then only what one of Allow describes may pass.
type Direction struct {
	Isolated bool
	Allow    []Allow
}

// Allow lets traffic pass whose other end is one of Peers and whose destination port is one of Ports.
type Allow struct {
	Peers Peers
	// Ports is nil for every port of every protocol. It is never empty: an Allow that matches no port is left out.
	Ports []PortRange
}

// Peers are the other ends. The zero value matches nobody.
type Peers struct {
	Everybody bool
	Addresses []netip.Addr
	Blocks    []Block
}

// A Block is a network, and the parts of it that are left out.
type Block struct {
	Network netip.Prefix
	Except  []netip.Prefix
}

// A PortRange goes from First to Last, both included.
type PortRange struct {
	Protocol corev1.Protocol
	First    uint16
	Last     uint16
}

// Permits says whether a new connection may be opened. Addresses outside the pod network are not looked up: what they
// send and receive is judged at the pod's end alone.
func (r Rules) Permits(podNetwork netip.Prefix, from, to netip.Addr, protocol corev1.Protocol, port uint16) bool {
	if from == to {
		return true
	}
	if podNetwork.Contains(from) {
		rules, known := r[from]
		if !known || !rules.Egress.permits(to, protocol, port) {
			return false
		}
	}
	if podNetwork.Contains(to) {
		rules, known := r[to]
		if !known || !rules.Ingress.permits(from, protocol, port) {
			return false
		}
	}
	return true
}

func (d Direction) permits(peer netip.Addr, protocol corev1.Protocol, port uint16) bool {
	return !d.Isolated || slices.ContainsFunc(d.Allow, func(allow Allow) bool {
		return allow.Peers.contain(peer) && allow.portsContain(protocol, port)
	})
}

func (a Allow) portsContain(protocol corev1.Protocol, port uint16) bool {
	return a.Ports == nil || slices.ContainsFunc(a.Ports, func(r PortRange) bool {
		return r.Protocol == protocol && r.First <= port && port <= r.Last
	})
}

func (p Peers) contain(address netip.Addr) bool {
	return p.Everybody || slices.Contains(p.Addresses, address) ||
		slices.ContainsFunc(p.Blocks, func(block Block) bool { return block.contains(address) })
}

func (b Block) contains(address netip.Addr) bool {
	excepted := func(part netip.Prefix) bool { return part.Contains(address) }
	return b.Network.Contains(address) && !slices.ContainsFunc(b.Except, excepted)
}

func (p Peers) empty() bool { return !p.Everybody && len(p.Addresses) == 0 && len(p.Blocks) == 0 }

// sorted brings ports into one order, whatever the order of the policy's list, and removes repetitions.
func sorted(ports []PortRange) []PortRange {
	slices.SortFunc(ports, func(a, b PortRange) int {
		if order := strings.Compare(string(a.Protocol), string(b.Protocol)); order != 0 {
			return order
		}
		if a.First != b.First {
			return int(a.First) - int(b.First)
		}
		return int(a.Last) - int(b.Last)
	})
	return slices.Compact(ports)
}
