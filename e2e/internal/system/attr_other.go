//go:build !linux

package system

import "syscall"

func childAttr() *syscall.SysProcAttr { return nil }
