// A TCP echo server as one writes it in Go: a goroutine for each connection, which reads and writes as if it blocked.
// Under these calls Go's runtime uses a completion port; all of that is Go's own code.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"
)

// The connections that are open, so that the end of the server is the end of each of them.
type connections struct {
	mutex sync.Mutex
	open  map[net.Conn]bool
	ended bool
	wait  sync.WaitGroup
}

// Reports false when the server is ending: then the connection is the caller's to close.
func (all *connections) add(one net.Conn) bool {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if all.ended {
		return false
	}
	all.open[one] = true
	all.wait.Add(1)
	return true
}

func (all *connections) remove(one net.Conn) {
	all.mutex.Lock()
	delete(all.open, one)
	all.mutex.Unlock()
	all.wait.Done()
}

// Closes every connection, which wakes the goroutine that waits on it, and waits until all of them have left.
func (all *connections) end() {
	all.mutex.Lock()
	all.ended = true
	for one := range all.open {
		one.Close()
	}
	all.mutex.Unlock()
	all.wait.Wait()
}

func echo(client net.Conn) {
	defer client.Close()
	// Until the client says that it sends no more, or until the connection breaks, which ends this client and nothing else.
	_, _ = io.Copy(client, client)
}

func serve(listener net.Listener) {
	all := connections{open: map[net.Conn]bool{}}
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			// A client that has left again costs only itself. A lasting want of handles does not keep a processor busy.
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if !all.add(client) {
			client.Close()
			continue
		}
		go func() {
			defer all.remove(client)
			echo(client)
		}()
	}
	all.end()
}

func main() {
	port := flag.Int("port", 6000, "the port on 127.0.0.1; 0: any free one")
	threads := flag.Int("threads", runtime.NumCPU(), "threads that run Go code at the same time")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)

	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())

	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	go func() {
		<-interrupt
		listener.Close()
	}()
	serve(listener)
}
