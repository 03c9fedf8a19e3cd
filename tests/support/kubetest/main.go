// Command kubetest is etcd, kube-apiserver, kube-controller-manager and kubectl in one binary, for tests of a controller against the
// real API, and kstatus: how Flux, Argo CD and `kubectl apply --prune` style tools read an object's status.
//
//	kubetest etcd               [etcd flags]
//	kubetest apiserver          [kube-apiserver flags]
//	kubetest controller-manager [kube-controller-manager flags]   namespace deletion, garbage collection, service account tokens
//	kubetest kubectl            [kubectl arguments]
//	kubetest key                                                   prints a key to sign service accounts' tokens with
//	kubetest kstatus            < object.json                      prints "Current", "InProgress", "Failed", ... and the message
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: kubetest etcd|apiserver|controller-manager|kubectl|key|kstatus [flags]")
	}
	role := os.Args[1]
	if os.Getenv("KUBETEST_END_WITH_INPUT") != "" {
		// A server never outlives the test that started it, whatever way that ends.
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	os.Args = append([]string{role}, os.Args[2:]...)
	switch role {
	case "etcd":
		etcdmain.Main(os.Args)
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(manager.NewControllerManagerCommand()))
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	case "key":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			fail(err)
		}
		pem.Encode(os.Stdout, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	case "kstatus":
		var object unstructured.Unstructured
		text, err := io.ReadAll(os.Stdin)
		if err == nil {
			err = object.UnmarshalJSON(text)
		}
		if err != nil {
			fail(err)
		}
		result, err := status.Compute(&object)
		if err != nil {
			fail(err)
		}
		fmt.Printf("%s\t%s\n", result.Status, result.Message)
	default:
		fail(fmt.Sprintf("unknown role %q", role))
	}
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}
