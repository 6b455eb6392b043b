package netpol

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// gather is how long changes are gathered before the rules are compiled: a burst costs one load.
	gather = 10 * time.Millisecond
	// again is when a load that failed is tried once more, also when nothing changes.
	again = time.Second
)

// Main enforces until SIGTERM. The rules that were loaded last stay when it ends.
func Main(args []string) error {
	flags := flag.NewFlagSet("netpol", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	network := flags.String("pod-network", "", "the network that pods on this node get their addresses from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	podNetwork, err := netip.ParsePrefix(*network)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return newWatcher(client).run(ctx, podNetwork)
}

// A watcher holds the world in caches, and is told of changes.
type watcher struct {
	factory  informers.SharedInformerFactory
	informed []cache.SharedIndexInformer
	changed  chan struct{}
}

func newWatcher(client kubernetes.Interface) *watcher {
	factory := informers.NewSharedInformerFactory(client, 0)
	w := &watcher{factory: factory, changed: make(chan struct{}, 1)}
	w.informed = []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(),
		factory.Core().V1().Namespaces().Informer(),
		factory.Networking().V1().NetworkPolicies().Informer(),
	}
	return w
}

func (w *watcher) run(ctx context.Context, podNetwork netip.Prefix) error {
	notify := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.notify() },
		UpdateFunc: func(any, any) { w.notify() },
		DeleteFunc: func(any) { w.notify() },
	}
	for _, informer := range w.informed {
		if _, err := informer.AddEventHandler(notify); err != nil {
			return err
		}
	}
	w.factory.Start(ctx.Done())
	for _, informer := range w.informed {
		// Half a world would open what the other half closes.
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return errors.New("ended before the API server had shown everything")
		}
	}
	w.notify()
	return w.enforce(ctx, podNetwork)
}

func (w *watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default: // a change is noted already
	}
}

// enforce loads the rules after each change that makes others of them.
func (w *watcher) enforce(ctx context.Context, podNetwork netip.Prefix) error {
	loaded := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
		}
		time.Sleep(gather)
		world, err := w.world()
		if err != nil {
			return err
		}
		text := Compile(world, podNetwork).Text(podNetwork)
		if text == loaded {
			continue
		}
		if err := load(ctx, text); err != nil {
			fmt.Fprintf(os.Stderr, "netpol: the rules of %d policies were not loaded: %v\n", len(world.Policies), err)
			time.AfterFunc(again, w.notify)
			continue
		}
		loaded = text
	}
}

func (w *watcher) world() (World, error) {
	pods, err := w.factory.Core().V1().Pods().Lister().List(labels.Everything())
	if err != nil {
		return World{}, err
	}
	namespaces, err := w.factory.Core().V1().Namespaces().Lister().List(labels.Everything())
	if err != nil {
		return World{}, err
	}
	policies, err := w.factory.Networking().V1().NetworkPolicies().Lister().List(labels.Everything())
	if err != nil {
		return World{}, err
	}
	return worldOf(pods, namespaces, policies), nil
}

// load gives the text to nft, which takes all of it or nothing.
func load(ctx context.Context, text string) error {
	nft := exec.CommandContext(ctx, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(text)
	if output, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
