package broker

import (
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Publish sends a message with QoS 1. It returns when the message is on its way, at
// most unconfirmed ones at a time; that the broker has it is checked behind the
// caller's back, counted and, when it takes too long, a reason to connect anew.
// ErrNotConnected while there is no connection. One goroutine calls at a time.
func (l *Link) Publish(topic string, payload []byte) error {
	l.mu.Lock()
	s := l.sess
	l.mu.Unlock()
	if s == nil || !s.client.IsConnectionOpen() {
		l.metrics.unsent.Inc()
		return ErrNotConnected
	}
	var t mqtt.Token
	l.guard(func() { t = s.client.Publish(topic, 1, false, payload) })
	select {
	case s.tokens <- t:
		return nil
	case <-s.over:
		l.metrics.unsent.Inc()
		return ErrNotConnected
	}
}

// guard runs a call that waits for the network under the eyes of the watchdog.
func (l *Link) guard(call func()) {
	l.busySince.Store(time.Now().UnixNano())
	call()
	l.busySince.Store(0)
}

// confirmAll waits for the broker's word on each publication of one session.
func (l *Link) confirmAll(s *session) {
	for {
		select {
		case <-s.over:
			l.metrics.unsent.Add(float64(len(s.tokens)))
			return
		case t := <-s.tokens:
			if err := l.confirmed(t, s.over); err != nil {
				l.metrics.unsent.Inc()
				give(s.lost, err)
			}
		}
	}
}

func (l *Link) confirmed(t mqtt.Token, over <-chan struct{}) error {
	timeout := time.NewTimer(l.confirm)
	defer timeout.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-over:
		return ErrNotConnected
	case <-timeout.C:
		return fmt.Errorf("the broker did not confirm a publication within %s", l.confirm)
	}
}

// use makes s the session of Publish.
func (l *Link) use(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sess = s
}

func (l *Link) setErr(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	connected := 0.0
	if err == nil {
		connected = 1
	}
	l.metrics.connected.Set(connected)
}
