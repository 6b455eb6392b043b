package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeatstages "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

func runKwok() int { return exitCode(playNodes()) }

// stages say what happens to invented nodes and pods: nodes are ready and send heartbeats, pods run and complete at once.
// They are kwok's own.
var stages = []string{
	nodestages.DefaultNodeInit,
	heartbeatstages.DefaultNodeHeartbeatWithLease,
	podstages.DefaultPodReady,
	podstages.DefaultPodComplete,
	podstages.DefaultPodDelete,
}

// playNodes runs kwok, which plays the kubelet of nodes that exist in the API only.
func playNodes() error {
	// kwok takes stages from a file or from the API, and has none by itself.
	folder, err := os.MkdirTemp("", "kwok-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "stages.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(stages, "\n---\n")), 0o600); err != nil {
		return err
	}
	os.Args = append(os.Args, "--config="+file)

	// Kubernetes' packages have put their flags into the global set. kwok declares --version again, with another type.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	early := pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	early.ParseErrorsAllowlist.UnknownFlags = true
	early.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(signals.SetupSignalContext(), early)
	ctx, err = kwokconfig.InitFlags(ctx, early)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(early)
	return command.ExecuteContext(ctx)
}
