/** A room with a real state behind it, for tests of views; nothing is connected. */
import { render, type ComponentChild } from 'preact';
import { act } from 'preact/test-utils';
import type { Fetch } from '../src/api/http';
import { SessionKeeper } from '../src/api/session';
import type { RoadCollection } from '../src/api/types';
import { Cell } from '../src/cell/cell';
import { Room } from '../src/room/room';
import { networkOf } from '../src/state/network';
import { light } from '../src/theme/light';

/** jsdom measures nothing; this observer says so by never calling back. */
class NoResize implements ResizeObserver {
  observe(): void {
    return undefined;
  }
  unobserve(): void {
    return undefined;
  }
  disconnect(): void {
    return undefined;
  }
}

export const noServer: Fetch = () => Promise.reject(new TypeError('Failed to fetch'));

export function makeRoom(network: RoadCollection | null, fetchFn: Fetch = noServer): Room {
  window.ResizeObserver = NoResize;
  window.sessionStorage.clear();
  window.history.replaceState(null, '', '/');
  const room = new Room(new SessionKeeper(fetchFn, window.sessionStorage), new Cell(light), fetchFn, window);
  if (network) room.city.network.set({ state: 'ready', value: networkOf(network) });
  return room;
}

/** Draws a view into a fresh page. */
export function show(view: ComponentChild): HTMLElement {
  document.body.replaceChildren();
  const root = document.createElement('div');
  document.body.append(root);
  void act(() => {
    render(view, root);
  });
  return root;
}

/** Does something and draws what follows from it. */
export async function doing(work: () => void | Promise<void>): Promise<void> {
  await act(async () => {
    await work();
  });
}

export function press(target: Element | null, key: string): void {
  target?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}

export function type(input: HTMLInputElement | null, text: string): void {
  if (!input) return;
  input.value = text;
  input.dispatchEvent(new InputEvent('input', { bubbles: true }));
}
