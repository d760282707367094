package main

import "syscall"

// groupAttr starts a command in a process group of its own, which is killed with the helper: what runs on without the helper
// would migrate without the lock.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
