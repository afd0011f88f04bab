package limit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/limit"
)

func TestBucketEmptiesAndFills(t *testing.T) {
	now := time.Unix(1000, 0)
	l, err := limit.New(limit.Rate{PerSecond: 0.5, Burst: 3}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if v := l.Take("a"); !v.OK || v.Remaining != 2-i || v.Full != time.Duration(2*(i+1))*time.Second {
			t.Errorf("request %d: %+v", i, v)
		}
	}
	v := l.Take("a")
	if v.OK || v.Remaining != 0 || v.Retry != 2*time.Second {
		t.Errorf("fourth request: %+v, want refused for 2 s", v)
	}
	if v := l.Take("b"); !v.OK {
		t.Error("one client's requests count against another")
	}
	now = now.Add(2 * time.Second)
	if v := l.Take("a"); !v.OK {
		t.Errorf("after the wait that was asked for: %+v", v)
	}
	if v := l.Take("a"); v.OK {
		t.Errorf("and only one more: %+v", v)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l, err := limit.New(limit.Rate{PerSecond: 1, Burst: 1}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	l.Take("first")
	for i := range 20_000 {
		l.Take(fmt.Sprint(i))
	}
	if v := l.Take("first"); !v.OK {
		t.Error("a key that 20,000 others followed is still remembered")
	}
	if v := l.Take("19999"); v.OK {
		t.Error("the newest key was forgotten")
	}
}

func TestRateValidates(t *testing.T) {
	for _, r := range []limit.Rate{{0, 1}, {-1, 1}, {1, 0}} {
		if r.Validate("logins") == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	if err := (limit.Rate{PerSecond: 0.1, Burst: 1}).Validate("logins"); err != nil {
		t.Error(err)
	}
	if w := (limit.Rate{PerSecond: 0.5, Burst: 3}).Window(); w != 6*time.Second {
		t.Errorf("window %s, want 6s", w)
	}
}
