/**
 * What can go wrong with a request, reduced to the few kinds that the page answers
 * differently. Everything that `api/` throws is a Failure.
 */
import type { Problem } from './types';

export type FailureKind =
  /** No answer: the server is down or the network is. */
  | 'network'
  /** 401: the login is wrong, or has ended. */
  | 'unauthorised'
  /** 403: known, but not allowed. */
  | 'forbidden'
  /** 429: wait `retryAfterMs`. */
  | 'limited'
  /** 5xx, or an answer that cannot be read. */
  | 'server'
  /** The remaining 4xx: the page asked for something wrong. */
  | 'request';

export class Failure extends Error {
  override readonly name = 'Failure';

  constructor(
    readonly kind: FailureKind,
    /** The server's sentence, or the browser's. */
    message: string,
    readonly status = 0,
    /** How long the server asked to wait, in ms; 0 when it did not. */
    readonly retryAfterMs = 0,
    /** Finds the request in the server's log; empty when there was no answer. */
    readonly requestId = '',
  ) {
    super(message);
  }
}

/** Reads an error answer; a body that is no problem document still makes a Failure. */
export async function failureOf(response: Response): Promise<Failure> {
  const problem = await readProblem(response);
  const message = problem?.detail ?? problem?.title ?? `HTTP ${response.status}`;
  return new Failure(
    kindOf(response.status),
    message,
    response.status,
    retryAfter(response.headers.get('Retry-After')),
    problem?.request_id ?? '',
  );
}

/** Turns whatever was thrown into a Failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('network', error instanceof Error ? error.message : String(error));
}

function kindOf(status: number): FailureKind {
  switch (status) {
    case 401:
      return 'unauthorised';
    case 403:
      return 'forbidden';
    case 429:
      return 'limited';
    default:
      return status >= 500 ? 'server' : 'request';
  }
}

async function readProblem(response: Response): Promise<Partial<Problem> | null> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? body : null;
  } catch {
    return null;
  }
}

function retryAfter(header: string | null): number {
  const seconds = Number(header ?? '');
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}
