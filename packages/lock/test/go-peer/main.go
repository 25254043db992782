// Holds a lock by Go's own concurrency.Mutex, for the tests of what both share: `go-peer ENDPOINT PREFIX`.
//
// Prints "locked REVISION" once it holds the lock, releases it at the first line of its input,
// and prints "unlocked".
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}})
	check(err)
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	mutex := concurrency.NewMutex(session, os.Args[2])
	check(mutex.Lock(context.Background()))
	fmt.Println("locked", mutex.Header().Revision)
	bufio.NewReader(os.Stdin).ReadString('\n')
	check(mutex.Unlock(context.Background()))
	fmt.Println("unlocked")
	check(session.Close())
}
