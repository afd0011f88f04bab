package system

import "syscall"

// childAttr makes the kernel end the child when the test process dies.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
