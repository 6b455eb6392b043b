package netpol

import (
	"cmp"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A selection answers which pods selectors mean. Its pods are in the order of their addresses, one for each address.
type selection struct {
	pods       []Pod
	namespaces map[string]labels.Set
}

func newSelection(world World) *selection {
	pods := slices.Clone(world.Pods)
	slices.SortFunc(pods, func(a, b Pod) int {
		return cmp.Or(a.Address.Compare(b.Address), b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	pods = slices.CompactFunc(pods, func(a, b Pod) bool { return a.Address == b.Address })
	return &selection{pods: pods, namespaces: world.Namespaces}
}

// foundPeers are the peers of one rule. everybody goes beyond the pods that are listed with it.
type foundPeers struct {
	everybody bool
	pods      []Pod
	blocks    []Block
}

// selects says whether the policy is about the pod: it is in the same namespace, and its labels match.
func (s *selection) selects(policy *networkingv1.NetworkPolicy, pod Pod) bool {
	return policy.Namespace == pod.Namespace && matches(&policy.Spec.PodSelector, pod.Labels)
}

// peers finds what a list of peers means. No list, or an empty one, is everybody.
func (s *selection) peers(namespace string, list []networkingv1.NetworkPolicyPeer) foundPeers {
	if len(list) == 0 {
		return foundPeers{everybody: true, pods: s.pods}
	}
	var found foundPeers
	for _, peer := range list {
		if peer.IPBlock != nil {
			if block, ok := blockOf(peer.IPBlock); ok {
				found.blocks = append(found.blocks, block)
			}
		}
	}
	for _, pod := range s.pods {
		isMeant := func(peer networkingv1.NetworkPolicyPeer) bool { return s.means(namespace, peer, pod) }
		if slices.ContainsFunc(list, isMeant) {
			found.pods = append(found.pods, pod)
		}
	}
	return found
}

// means says whether a peer with selectors means the pod. Without a namespace selector it looks in the policy's own
// namespace, without a pod selector it means every pod of the namespaces.
func (s *selection) means(namespace string, peer networkingv1.NetworkPolicyPeer, pod Pod) bool {
	if peer.PodSelector == nil && peer.NamespaceSelector == nil {
		return false
	}
	if peer.PodSelector != nil && !matches(peer.PodSelector, pod.Labels) {
		return false
	}
	if peer.NamespaceSelector == nil {
		return pod.Namespace == namespace
	}
	found, exists := s.namespaces[pod.Namespace]
	return exists && matches(peer.NamespaceSelector, found)
}

// matches is false for a selector that the API server would have refused: what is not understood opens nothing.
func matches(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

// blockOf reads an IPv4 block. The exceptions of a block that cannot be read close it altogether.
func blockOf(block *networkingv1.IPBlock) (Block, bool) {
	network, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !network.Addr().Is4() {
		return Block{}, false
	}
	read := Block{Network: network.Masked()}
	for _, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil || !except.Addr().Is4() {
			return Block{}, false
		}
		read.Except = append(read.Except, except.Masked())
	}
	return read, true
}
