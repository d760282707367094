//go:build !linux

package main

import "syscall"

// groupAttr lets the package compile where it is developed; an image runs Linux.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
