// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';
import { collection, reroute } from '../../test-support/samples';
import { doing, makeRoom, show } from '../../test-support/stage';
import { AdviceList } from './advice_list';

describe('the advice list', () => {
  test('waits, then says that there is none', async () => {
    const room = makeRoom(collection());
    const root = show(<AdviceList room={room} />);
    expect(root.textContent).toBe('Waiting for advice…');
    await doing(() => {
      room.city.advice.set([]);
    });
    expect(root.textContent).toBe('No advice now: no road is above the threshold.');
  });

  test('says what to avoid, which way to take, and what it saves', () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A', { share: 0.3 })]);
    const text = show(<AdviceList room={room} />).textContent;
    for (const part of [
      'Avoid Rue A', 'Take Rue B, Rue C', '3.4 min saved per vehicle', '12.3 kg CO₂ saved per 100 vehicles', 'Score 0.82 now.', 'Proposed', 'for 30 % of the traffic',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('a detour that costs more is not praised', () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A', { estimated_co2_gain: -2, eta_gain_min: -1 })]);
    const text = show(<AdviceList room={room} />).textContent;
    expect(text).toContain('2.0 kg more CO₂ per 100 vehicles');
    expect(text).toContain('1.0 min lost per vehicle');
  });

  test('a long list shows the best, and the rest when asked', async () => {
    const room = makeRoom(collection());
    room.city.advice.set(Array.from({ length: 60 }, (_, i) => reroute(`R${i}`, { eta_gain_min: i })));
    const root = show(<AdviceList room={room} />);
    const cards = (): string[] => [...root.querySelectorAll<HTMLElement>('.card')].map((c) => c.dataset['advice'] ?? '');
    expect(cards()[0]).toBe('id-R59');
    expect(cards()).toHaveLength(50);
    await doing(() => [...root.querySelectorAll('button')].find((b) => b.textContent === 'Show all 60')?.click());
    expect(cards()).toHaveLength(60);
  });

  test('says when the chosen advice is over', async () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A'), reroute('Z')]);
    const root = show(<AdviceList room={room} />);
    await doing(() => {
      room.view.advice.set({ route_id: 'A', alt_route_id: 'B' });
      room.city.advice.set([reroute('Z')]);
    });
    expect(root.textContent).toContain('no longer in force');
  });

  test('choosing one shows its path, and it stays chosen when it is computed anew', async () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A'), reroute('Z')]);
    const root = show(<AdviceList room={room} />);
    await doing(() => root.querySelector<HTMLButtonElement>('.card-main')?.click());
    expect(root.querySelector('.card-path')?.textContent).toBe('Rue BRue C');
    await doing(() => {
      room.city.advice.set([reroute('Z'), reroute('A', { id: 'another' })]);
    });
    expect(root.querySelector('.card-shown')?.getAttribute('data-advice')).toBe('another');
    await doing(() => root.querySelector<HTMLButtonElement>('.card-path button')?.click());
    expect(room.view.link.get().road).toBe('B');
  });
});
