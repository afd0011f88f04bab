import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../api/failure';
import { failureText } from './failure_text';

test.each<[FailureKind, RegExp]>([
  ['network', /does not answer.*Check/],
  ['unauthorised', /Sign in again/],
  ['forbidden', /Ask an administrator/],
  ['limited', /Wait 7 s and try again/],
  ['server', /disk is full.*request r-1/],
  ['request', /did not accept the request: disk is full/],
])('a failure of kind %s says what to do', (kind, text) => {
  expect(failureText(new Failure(kind, 'disk is full', 0, 7000, 'r-1'))).toMatch(text);
});

test('a wait that the server did not name is at least a second', () => {
  expect(failureText(new Failure('limited', ''))).toContain('Wait 1 s');
});
