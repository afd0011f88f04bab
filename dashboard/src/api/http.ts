/**
 * One request with a deadline, and its answer as JSON. Both the session keeper and
 * the API client stand on it; it knows nothing of tokens.
 */
import { asFailure, Failure, failureOf } from './failure';

/** `fetch`, replaced in tests. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** No request of the page may wait longer than this, in ms. */
export const DEADLINE_MS = 20_000;

/** Sends a request; throws a Failure for everything that is not a 2xx. */
export async function send(fetchFn: Fetch, path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetchFn(path, { signal: AbortSignal.timeout(DEADLINE_MS), ...init });
  } catch (error) {
    throw asFailure(error);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

/** Posts a JSON body without a token. */
export function postJSON(fetchFn: Fetch, path: string, body: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' };
  return send(fetchFn, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** The body as T, which the server's contract promises; throws a Failure when it is no JSON. */
export async function readJSON<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new Failure('server', `unreadable answer from ${response.url}`, response.status);
  }
}
