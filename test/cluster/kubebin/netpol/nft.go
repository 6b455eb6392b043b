package netpol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Table is the nftables table (of the family "ip") that holds everything.
const Table = "netpol"

// Text renders the rules as input for `nft -f -`, which replaces the whole table in one transaction.
//
// A packet of a new connection passes the chain "from" when a pod sent it and the chain "to" when a pod is to get it. Each
// looks the pod up in a map: it goes to the chain of its rules, or on when nothing isolates it; a pod that is not in the
// map is not known yet, and the packet is dropped. Replies, and packets of connections that were allowed once, pass. What
// the node itself sends to a pod passes no forward hook, so probes always arrive.
func (r Rules) Text(podNetwork netip.Prefix) string {
	chains := map[string]string{}
	var ingress, egress, self []string
	for _, address := range r.addresses() {
		rules := r[address]
		ingress = append(ingress, fmt.Sprintf("%s : %s", address, verdict("in", "saddr", rules.Ingress, chains)))
		egress = append(egress, fmt.Sprintf("%s : %s", address, verdict("out", "daddr", rules.Egress, chains)))
		self = append(self, fmt.Sprintf("%s . %s", address, address))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "table ip %[1]s\ndelete table ip %[1]s\ntable ip %[1]s {\n", Table)
	writeSet(&text, "map ingress", "ipv4_addr : verdict", ingress)
	writeSet(&text, "map egress", "ipv4_addr : verdict", egress)
	writeSet(&text, "set self", "ipv4_addr . ipv4_addr", self)
	for _, name := range sortedKeys(chains) {
		fmt.Fprintf(&text, "  chain %s {\n%s    drop\n  }\n", name, chains[name])
	}
	fmt.Fprintf(&text, baseChains, podNetwork)
	return text.String()
}

// The base chains. Their priority puts them after kube-proxy's translation of Service addresses and before its filters.
const baseChains = `  chain from {
    ip saddr vmap @egress
    drop
  }
  chain to {
    ip daddr vmap @ingress
    drop
  }
  chain forward {
    type filter hook forward priority -10; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @self accept
    ip saddr %[1]s jump from
    ip daddr %[1]s jump to
  }
  chain input {
    type filter hook input priority -10; policy accept;
    ct state established,related accept
    ip saddr %[1]s jump from
  }
}
`

func (r Rules) addresses() []netip.Addr {
	var addresses []netip.Addr
	for address := range r {
		addresses = append(addresses, address)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses
}

// verdict adds the direction's chain, and says what the map holds for the pod. Pods with the same rules share a chain,
// which is named after its content.
func verdict(prefix, field string, direction Direction, chains map[string]string) string {
	if !direction.Isolated {
		return "return"
	}
	var lines []string
	for _, allow := range direction.Allow {
		lines = append(lines, allow.lines(field)...)
	}
	slices.Sort(lines)
	body := strings.Join(slices.Compact(lines), "")
	sum := sha256.Sum256([]byte(body))
	name := prefix + "-" + hex.EncodeToString(sum[:8])
	chains[name] = body
	return "goto " + name
}

// lines are one nft rule for each combination of peers and protocol. "return" leads back to the base chain.
func (a Allow) lines(field string) []string {
	var lines []string
	for _, peers := range a.Peers.matches(field) {
		for _, ports := range a.portMatches() {
			lines = append(lines, "    "+peers+ports+"return\n")
		}
	}
	return lines
}

func (p Peers) matches(field string) []string {
	if p.Everybody {
		return []string{""}
	}
	var found []string
	if len(p.Addresses) > 0 {
		found = append(found, fmt.Sprintf("ip %s { %s } ", field, joined(p.Addresses)))
	}
	for _, block := range p.Blocks {
		match := fmt.Sprintf("ip %s %s ", field, block.Network)
		if len(block.Except) > 0 {
			match += fmt.Sprintf("ip %s != { %s } ", field, joined(disjoint(block.Except)))
		}
		found = append(found, match)
	}
	return found
}

// disjoint leaves out networks that lie within others: nft refuses sets whose parts overlap.
func disjoint(networks []netip.Prefix) []netip.Prefix {
	widest := slices.Clone(networks)
	slices.SortFunc(widest, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	var kept []netip.Prefix
	for _, network := range widest {
		covered := func(other netip.Prefix) bool { return other.Overlaps(network) }
		if !slices.ContainsFunc(kept, covered) {
			kept = append(kept, network)
		}
	}
	return kept
}

func (a Allow) portMatches() []string {
	if a.Ports == nil {
		return []string{""}
	}
	var found []string
	for _, port := range a.Ports {
		protocol := strings.ToLower(string(port.Protocol))
		match := fmt.Sprintf("%s dport %d ", protocol, port.First)
		if port.First != port.Last {
			match = fmt.Sprintf("%s dport %d-%d ", protocol, port.First, port.Last)
		}
		found = append(found, match)
	}
	return found
}

func writeSet(text *strings.Builder, kind, types string, elements []string) {
	fmt.Fprintf(text, "  %s {\n    type %s\n", kind, types)
	if len(elements) > 0 {
		fmt.Fprintf(text, "    elements = { %s }\n", strings.Join(elements, ", "))
	}
	text.WriteString("  }\n")
}

func joined[T fmt.Stringer](parts []T) string {
	var texts []string
	for _, part := range parts {
		texts = append(texts, part.String())
	}
	return strings.Join(texts, ", ")
}

func sortedKeys(chains map[string]string) []string {
	var keys []string
	for key := range chains {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
