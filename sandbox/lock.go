//go:build unix

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// lock takes the lock of a run's folder. The processes of the run inherit the open file, and so the lock is held until the
// last of them has ended, also when this program is killed before.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return file, nil
}

// takeOver takes the lock of a run that was killed. Processes of that run have lost their proxy to AWS, so it ends them.
func takeOver(j *Journal, say func(string, ...any)) (*os.File, error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		file, err := lock(j.dir)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return file, err
		}
		pids := holders(filepath.Join(j.dir, "lock"))
		for _, pid := range pids {
			if pid == j.PID {
				return nil, fmt.Errorf("the run in %s is still under way, as process %d: wait for it, or stop it with Ctrl-C", j.dir, pid)
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("processes of the run in %s do not end: %v", j.dir, pids)
		}
		for _, pid := range pids {
			say("Ending process %d, which the killed run started.", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// holders are the other processes that have a file open.
func holders(file string) (pids []int) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	add := func(text string) {
		if pid, err := strconv.Atoi(text); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	if processes, err := os.ReadDir("/proc"); err == nil && len(processes) > 0 {
		for _, process := range processes {
			open, _ := filepath.Glob(filepath.Join("/proc", process.Name(), "fd", "*"))
			for _, fd := range open {
				if target, err := os.Readlink(fd); err == nil && target == file {
					add(process.Name())
					break
				}
			}
		}
		return pids
	}
	out, _ := exec.Command("lsof", "-t", file).Output() // it exits with 1 if no process has the file open
	for _, field := range bytes.Fields(out) {
		add(string(field))
	}
	return pids
}
