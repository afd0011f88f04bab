// Package bustest holds the promise of package bus as a test suite.
//
// Every implementation calls Test from its own test with a function that opens an
// empty bus, and passes all of it. What only one implementation can do, such as
// losing its server, it tests itself. Only tests import this package.
package bustest
