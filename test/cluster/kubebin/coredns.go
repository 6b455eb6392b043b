package main

import (
	"errors"
	"os"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core/dnsserver"
	// The plug-ins that the cluster's Corefile uses. coremain would bring all of them, and flags of its own.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func runCoreDNS() int { return exitCode(serveDNS()) }

// serveDNS serves what the Corefile (the only argument) says, until the process is ended.
func serveDNS() error {
	if len(os.Args) != 2 {
		return errors.New("usage: coredns COREFILE")
	}
	path := os.Args[1]
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	instance, err := caddy.Start(caddy.CaddyfileInput{Contents: text, Filepath: path, ServerTypeName: "dns"})
	if err != nil {
		return err
	}
	instance.Wait()
	return nil
}
