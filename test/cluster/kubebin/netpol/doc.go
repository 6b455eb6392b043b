// Package netpol enforces NetworkPolicy (networking.k8s.io/v1) on one node by nftables.
//
// [Compile] turns what the API shows into [Rules] without touching anything; [Rules.Text] renders them for nft; [Main]
// watches the API and loads the text. What a policy does not allow is dropped without an answer. The node has to connect
// pods by routing (CNI plug-in "ptp"), so that every packet between two pods passes the forward hook.
//
// Not covered: IPv6, and pods on the node's own network (the API leaves open what policies mean for them). A connection
// that is open when a policy comes to forbid it lives on.
package netpol
