package credentials

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func written(t *testing.T) settings {
	t.Helper()
	folder := t.TempDir()
	s := settings{
		folder:    filepath.Join(folder, "pki"),
		admin:     filepath.Join(folder, "kubeconfig"),
		server:    "https://10.250.0.1:6443",
		outside:   "https://127.0.0.1:4711",
		node:      "node1",
		address:   "10.250.0.1",
		serviceIP: "10.96.0.1",
	}
	if err := write(s, time.Now()); err != nil {
		t.Fatal(err)
	}
	return s
}

func certificate(t *testing.T, s settings, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.folder, name+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestTheServerCertificateIsTrustedUnderEveryAddressThatClientsUse(t *testing.T) {
	s := written(t)
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, s, "ca"))
	server := certificate(t, s, "apiserver")
	for _, name := range []string{"127.0.0.1", "10.250.0.1", "10.96.0.1", "kubernetes.default.svc"} {
		if _, err := server.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := server.VerifyHostname("example.org"); err == nil {
		t.Error("the certificate is good for a foreign name")
	}
}

func TestTheKubeletIsANodeAndNoAdministrator(t *testing.T) {
	kubelet := certificate(t, written(t), "kubelet")
	if kubelet.Subject.CommonName != "system:node:node1" {
		t.Errorf("user is %q", kubelet.Subject.CommonName)
	}
	if groups := kubelet.Subject.Organization; len(groups) != 1 || groups[0] != "system:nodes" {
		t.Errorf("groups are %q", groups)
	}
}

func TestTheAdministratorComesThroughTheOutsideAddressAndComponentsDoNot(t *testing.T) {
	s := written(t)
	for path, want := range map[string]string{
		s.admin: s.outside,
		filepath.Join(s.folder, "admin.kubeconfig"):   s.server,
		filepath.Join(s.folder, "kubelet.kubeconfig"): s.server,
	} {
		config, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatal(err)
		}
		if config.Host != want {
			t.Errorf("%s: server is %s, not %s", path, config.Host, want)
		}
	}
}

func TestKeysAreForTheOwnerAlone(t *testing.T) {
	s := written(t)
	for _, path := range []string{s.admin, filepath.Join(s.folder, "ca.key"), filepath.Join(s.folder, "sa.key")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}
