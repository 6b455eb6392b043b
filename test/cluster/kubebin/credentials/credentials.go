// Package credentials makes the keys, certificates and kubeconfigs of a new test cluster.
//
// Everything is signed by one authority that lives and dies with the cluster. Entry: [Main].
package credentials

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// settings is what the command line says about the cluster.
type settings struct {
	folder    string // certificates and the components' kubeconfigs are written here
	admin     string // the file of the administrator's kubeconfig
	server    string // the API server's URL as the components see it
	outside   string // the API server's URL as the administrator sees it
	node      string // name of the real node
	address   string // address of node and API server
	serviceIP string // first address of the service range: "kubernetes.default"
}

// Main writes the credentials that its flags describe.
func Main(args []string) error {
	var s settings
	flags := flag.NewFlagSet("credentials", flag.ContinueOnError)
	flags.StringVar(&s.folder, "folder", "", "where to write certificates, keys and the components' kubeconfigs")
	flags.StringVar(&s.admin, "admin-kubeconfig", "", "where to write the administrator's kubeconfig")
	flags.StringVar(&s.server, "server", "", "URL of the API server for the components")
	flags.StringVar(&s.outside, "outside-server", "", "URL of the API server for the administrator")
	flags.StringVar(&s.node, "node", "node1", "name of the node")
	flags.StringVar(&s.address, "address", "", "address of the node and of the API server")
	flags.StringVar(&s.serviceIP, "service-ip", "", "address of the Service kubernetes.default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return write(s, time.Now())
}

// identities says who needs a certificate. The names are those that Kubernetes' own roles are bound to.
func identities(s settings) map[string]identity {
	loopback, address, service := net.ParseIP("127.0.0.1"), net.ParseIP(s.address), net.ParseIP(s.serviceIP)
	return map[string]identity{
		"apiserver": {
			user: "kube-apiserver",
			names: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local"},
			addresses: []net.IP{loopback, address, service},
		},
		"apiserver-kubelet-client": {user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		"front-proxy-client":       {user: "front-proxy-client"},
		"admin":                    {user: "admin", groups: []string{"system:masters"}},
		"kube-controller-manager":  {user: "system:kube-controller-manager"},
		"kube-scheduler":           {user: "system:kube-scheduler"},
		"kube-proxy":               {user: "system:kube-proxy"},
		"kubelet": {
			user:      "system:node:" + s.node,
			groups:    []string{"system:nodes"},
			names:     []string{s.node},
			addresses: []net.IP{address},
		},
	}
}

// clients are the identities that reach the API server with a kubeconfig inside the cluster's folder.
var clients = []string{"admin", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"}

func write(s settings, now time.Time) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	pairs := map[string]pair{"ca": ca.pair}
	for name, who := range identities(s) {
		if pairs[name], err = ca.issue(who, now); err != nil {
			return err
		}
	}
	for name, pair := range pairs {
		if err := writeFiles(s.folder, map[string][]byte{name + ".crt": pair.certificate, name + ".key": pair.key}); err != nil {
			return err
		}
	}
	for _, name := range clients {
		path := filepath.Join(s.folder, name+".kubeconfig")
		if err := clientcmd.WriteToFile(kubeconfig(s.server, ca.pair, pairs[name], name), path); err != nil {
			return err
		}
	}
	if err := clientcmd.WriteToFile(kubeconfig(s.outside, ca.pair, pairs["admin"], "admin"), s.admin); err != nil {
		return err
	}
	return writeServiceAccountKey(s.folder)
}

// kubeconfig holds its keys in itself, so that the file works wherever it is copied.
func kubeconfig(server string, ca, client pair, user string) clientcmdapi.Config {
	const name = "sympozium-test"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca.certificate}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: client.certificate, ClientKeyData: client.key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	return *config
}

// writeServiceAccountKey makes the pair that signs and verifies ServiceAccount tokens. It is RSA because that is what
// every library for JSON web tokens can verify.
func writeServiceAccountKey(folder string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writeFiles(folder, map[string][]byte{
		"sa.key": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"sa.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	})
}

func writeFiles(folder string, files map[string][]byte) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
