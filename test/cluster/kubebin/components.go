package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's ways to log in
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as the released programs have
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	_ "time/tzdata" // time zones of CronJobs, on machines without them

	"github.com/sympozium-ai/sympozium-rs/test/cluster/kubebin/credentials"
	"github.com/sympozium-ai/sympozium-rs/test/cluster/kubebin/netpol"
	"github.com/sympozium-ai/sympozium-rs/test/cluster/kubebin/testimages"
)

var components = []component{
	{"etcd", runEtcd},
	{"kube-apiserver", server(apiserver.NewAPIServerCommand)},
	{"kube-controller-manager", server(controllermanager.NewControllerManagerCommand)},
	{"kube-scheduler", server(func() *cobra.Command { return scheduler.NewSchedulerCommand() })},
	{"kubelet", server(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })},
	{"kube-proxy", server(kubeproxy.NewProxyCommand)},
	{"kubectl", runKubectl},
	{"coredns", runCoreDNS},
	{"kwok", runKwok},
	{"netpol", func() int { return exitCode(netpol.Main(os.Args[1:])) }},
	{"credentials", func() int { return exitCode(credentials.Main(os.Args[1:])) }},
	{"testimages", func() int { return exitCode(testimages.Main(os.Args[1:])) }},
}

// server runs a Kubernetes server the way its own main function does.
func server(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

func runEtcd() int {
	etcdmain.Main(os.Args)
	return 0
}

func runKubectl() int {
	// kubectl reads -v before its flags are parsed, so that plug-in look-ups are logged too.
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints as kubectl does, and exits
	}
	return 0
}
