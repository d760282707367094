package interrupts

import "golang.org/x/sys/unix"

// readerGone reports whether nothing reads what this process writes any more: its output is a pipe whose other end is closed.
//
// A process that asks for SIGPIPE gets it for a write to any pipe or connection (os/signal, SIGPIPE), also for one to a provider
// that has just ended.
func readerGone() bool {
	outputs := []unix.PollFd{{Fd: 1}, {Fd: 2}}
	for {
		_, err := unix.Poll(outputs, 0)
		if err == unix.EINTR {
			continue
		}
		return err == nil && (outputs[0].Revents|outputs[1].Revents)&(unix.POLLERR|unix.POLLHUP) != 0
	}
}
