// Registers and discovers instances as Go programs do: with etcd's own naming package, and as the Go original,
// go-kratos and go-zero do it. The last three marshal the same structs and put the same keys as their sources:
//
//	go.etcd.io/etcd/client/v3/naming   (Debian has the same package as go.etcd.io/etcd/clientv3/naming)
//	ceyewan/infra-kit                  coord/registry/interface.go, coord/internal/registryimpl/etcd_registry.go
//	go-kratos/kratos                   registry/registry.go, contrib/registry/etcd/registry.go
//	zeromicro/go-zero                  core/discov/publisher.go, core/discov/clients.go
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/naming/endpoints"
	"go.etcd.io/etcd/clientv3/naming/resolver"
	gresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// original is ServiceInfo of infra-kit's registry.
type original struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Address  string            `json:"address"`
	Port     int               `json:"port"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// coordination is ServiceInfo of the other Go design, which names no JSON fields and numbers the states.
type coordination struct {
	Name          string
	InstanceID    string
	Address       string
	Metadata      map[string]string
	Health        int
	RegisterTime  time.Time
	LastHeartbeat time.Time
}

// kratos is ServiceInstance of go-kratos.
type kratos struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	Metadata  map[string]string `json:"metadata"`
	Endpoints []string          `json:"endpoints"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go-peer ENDPOINT write | read SERVICE | bench SERVICE CALLERS SECONDS")
		os.Exit(2)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 10 * time.Second})
	check(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch os.Args[2] {
	case "write":
		write(ctx, client)
	case "read":
		read(ctx, client, os.Args[3])
	case "bench":
		callers, err := strconv.Atoi(os.Args[4])
		check(err)
		seconds, err := strconv.ParseFloat(os.Args[5], 64)
		check(err)
		bench(client, os.Args[3], callers, seconds)
	}
}

func write(ctx context.Context, client *clientv3.Client) {
	lease, err := client.Grant(ctx, 60)
	check(err)
	withLease := clientv3.WithLease(lease.ID)

	manager, err := endpoints.NewManager(client, "/services/official")
	check(err)
	check(manager.AddEndpoint(ctx, "/services/official/plain", endpoints.Endpoint{Addr: "10.0.0.1:8080"}, withLease))
	metadata := map[string]interface{}{"zone": "a", "weight": 3}
	check(manager.AddEndpoint(ctx, "/services/official/metadata", endpoints.Endpoint{Addr: "[::1]:8081", Metadata: metadata}, withLease))
	check(manager.AddEndpoint(ctx, "/services/official/text", endpoints.Endpoint{Addr: "host.example:8082", Metadata: "text"}, withLease))

	put := func(key string, value interface{}) {
		bytes, err := json.Marshal(value)
		check(err)
		_, err = client.Put(ctx, key, string(bytes), withLease)
		check(err)
	}
	first := original{ID: "user-1", Name: "original", Address: "127.0.0.1", Port: 8080, Metadata: map[string]string{"version": "1.0.0"}}
	put(path.Join("/services", first.Name, first.ID), first)
	bare := original{ID: "user-2", Name: "original", Address: "127.0.0.2", Port: 8081}
	put(path.Join("/services", bare.Name, bare.ID), bare)

	at := time.Date(2026, 1, 2, 3, 4, 5, 6000000, time.FixedZone("", 8*3600))
	for health, id := range []string{"unknown", "healthy", "unhealthy", "maintenance"} {
		info := coordination{Name: "numbered", InstanceID: id, Address: fmt.Sprintf("10.0.1.%d:80", health), Health: health, RegisterTime: at, LastHeartbeat: at}
		put("/services/numbered/"+id, info)
	}

	helloworld := kratos{ID: "kratos-1", Name: "helloworld", Version: "v1.0.0", Metadata: map[string]string{"weight": "10"},
		Endpoints: []string{"http://10.0.2.1:8000?isSecure=false", "grpc://10.0.2.1:9000?isSecure=false"}}
	put("/microservices/helloworld/"+helloworld.ID, helloworld)
	secure := kratos{ID: "kratos-2", Name: "helloworld", Version: "v1.1.0",
		Endpoints: []string{"grpc://[2001:db8::1]:9000?isSecure=true"}}
	put("/microservices/helloworld/"+secure.ID, secure)
	web := kratos{ID: "kratos-3", Name: "helloworld", Version: "v1.1.0", Endpoints: []string{"http://10.0.2.3:8000"}}
	put("/microservices/helloworld/"+web.ID, web)

	_, err = client.Put(ctx, "greet.rpc/7587848943239472133", "10.0.3.1:8080", withLease)
	check(err)
	_, err = client.Put(ctx, "greet.rpc/7", "10.0.3.2:8080", withLease)
	check(err)
	_, err = client.Put(ctx, "greet.rpc.admin/7587848943239472134", "10.0.3.3:8080", withLease)
	check(err)
}

type reading struct {
	// What endpoints.Manager lists, by key.
	Manager endpoints.Key2EndpointMap `json:"manager"`
	// What the gRPC resolver hands to the channel first.
	Resolver []string `json:"resolver"`
	// What the Go original discovers, by key; a value that it cannot read is missing.
	Original map[string]original `json:"original"`
}

func read(ctx context.Context, client *clientv3.Client, service string) {
	target := "/services/" + service
	manager, err := endpoints.NewManager(client, target)
	check(err)
	listed, err := manager.List(ctx)
	check(err)

	builder, err := resolver.NewBuilder(client)
	check(err)
	channel := make(states, 1)
	built, err := builder.Build(gresolver.Target{Scheme: "etcd", Endpoint: target}, channel, gresolver.BuildOptions{})
	check(err)
	addresses := <-channel
	built.Close()

	found, err := client.Get(ctx, target+"/", clientv3.WithPrefix())
	check(err)
	originals := map[string]original{}
	for _, kv := range found.Kvs {
		var info original
		if json.Unmarshal(kv.Value, &info) == nil {
			originals[strings.TrimPrefix(string(kv.Key), target+"/")] = info
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(reading{Manager: listed, Resolver: addresses, Original: originals}))
}

// states is a channel in the role of the gRPC connection that a resolver reports to.
type states chan []string

func (s states) UpdateState(state gresolver.State) {
	addresses := []string{}
	for _, address := range state.Addresses {
		addresses = append(addresses, address.Addr)
	}
	sort.Strings(addresses)
	select {
	case s <- addresses:
	default:
	}
}
func (s states) ReportError(err error)          { check(err) }
func (s states) NewAddress([]gresolver.Address) {}
func (s states) NewServiceConfig(string)        {}
func (s states) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench reads all instances of a service over and over, linearizably, each caller one after another, and prints
// what `npm run bench -- registry` measures of the others.
func bench(client *clientv3.Client, service string, callers int, seconds float64) {
	get := func() {
		found, err := client.Get(context.Background(), "/services/"+service+"/", clientv3.WithPrefix())
		check(err)
		for _, kv := range found.Kvs {
			var info original
			check(json.Unmarshal(kv.Value, &info))
		}
	}
	loop := func(until time.Time) []float64 {
		var all []float64
		var lock sync.Mutex
		var group sync.WaitGroup
		for caller := 0; caller < callers; caller++ {
			group.Add(1)
			go func() {
				defer group.Done()
				var latencies []float64
				for started := time.Now(); started.Before(until); started = time.Now() {
					get()
					latencies = append(latencies, float64(time.Since(started).Microseconds())/1000)
				}
				lock.Lock()
				defer lock.Unlock()
				all = append(all, latencies...)
			}()
		}
		group.Wait()
		return all
	}
	duration := time.Duration(seconds * float64(time.Second))
	loop(time.Now().Add(duration / 5))
	started := time.Now()
	latencies := loop(started.Add(duration))
	elapsed := time.Since(started).Seconds()
	sort.Float64s(latencies)
	count := len(latencies)
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"perSecond": float64(count) / elapsed, "p50": latencies[count/2], "p99": latencies[count*99/100],
	}))
}
