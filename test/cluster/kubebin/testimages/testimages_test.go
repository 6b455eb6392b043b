package testimages

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

func entries(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func example(t *testing.T) []byte {
	t.Helper()
	files := []tarFile{folder("bin/", 0o755), regular("bin/a", 0o755, []byte("program")), link("bin/b", "a")}
	archive, err := image{name: "localhost/x:1", command: []string{"/bin/a"}, files: files}.archive("amd64")
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func TestTheArchiveNamesItsPartsByTheirContent(t *testing.T) {
	found := entries(t, example(t))
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(found["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || manifest[0].RepoTags[0] != "localhost/x:1" {
		t.Fatalf("manifest is %+v", manifest)
	}
	config := found[manifest[0].Config]
	if manifest[0].Config != digest(config)+".json" {
		t.Errorf("the configuration is called %s", manifest[0].Config)
	}
	var parsed struct {
		Rootfs struct {
			Diffs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	layer := found[manifest[0].Layers[0]]
	if parsed.Rootfs.Diffs[0] != "sha256:"+digest(layer) {
		t.Errorf("the configuration names the layer %s", parsed.Rootfs.Diffs[0])
	}
	if string(entries(t, layer)["bin/a"]) != "program" {
		t.Error("the layer lacks the program")
	}
}

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	if !bytes.Equal(example(t), example(t)) {
		t.Error("two archives of the same files differ")
	}
}
