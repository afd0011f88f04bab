package collector_test

func childMain() bool { return false }
