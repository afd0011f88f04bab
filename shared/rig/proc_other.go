//go:build !linux

package rig

import "syscall"

// processAttr has nothing to ask for where the kernel cannot tie a child to its
// parent.
func processAttr(*account, syscall.Signal) *syscall.SysProcAttr { return nil }

// unprivileged is ourselves: only Linux machines run tests as root.
func unprivileged() (*account, error) { return nil, nil }
