import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Inspection } from '../src/page/inspection';
import { countPixels, mapIdle, mapOnly, open, screenshot, target, type Stage } from './browser';

/** Data may need a moment to come: a first forecast wants some minutes of event time. */
const PATIENCE = { timeout: 90_000 };

type Drawn = ReturnType<Inspection['drawn']>;

let stage: Stage;

beforeAll(async () => {
  stage = await open();
});

afterAll(async () => {
  await stage.browser.close();
});

function drawn(): Promise<Drawn> {
  return stage.page.evaluate(() => window.cityflow?.drawn() ?? []);
}

/** Waits until the roads are drawn in at least two colours; the colours, most used first. */
async function waitForColours(): Promise<string[]> {
  await stage.page.waitForFunction(
    () => new Set(window.cityflow?.drawn().map((road) => road.colour).filter(Boolean)).size > 1,
    undefined,
    PATIENCE,
  );
  const uses = new Map<string, number>();
  for (const { colour } of await drawn()) if (colour) uses.set(colour, (uses.get(colour) ?? 0) + 1);
  return [...uses].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
}

/** Not only the map's state but the screen itself: the colours really are there. */
async function expectOnScreen(colours: readonly string[]): Promise<void> {
  const counts = await countPixels(stage.page, await mapOnly(stage.page), colours.slice(0, 12));
  expect(counts.filter((n) => n > 10).length).toBeGreaterThan(1);
}

describe('a control-room shift', () => {
  test('signs in', async () => {
    const { url, email, password } = target();
    const { page } = stage;
    await page.goto(url);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password').fill(password);
    await screenshot(page, 'login');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  });

  test('sees the roads in the colours of their congestion', async () => {
    const { page } = stage;
    await mapIdle(page);
    const colours = await waitForColours();
    await mapIdle(page);
    await screenshot(page, 'map-light');
    expect(colours.length).toBeGreaterThan(1);
    await expectOnScreen(colours);
  });

  test('sees a road change by itself, over the WebSocket', async () => {
    const { page } = stage;
    const before = await drawn();
    await page.waitForFunction(
      (old) => {
        const looks = new Map(old.map((road) => [road.id, `${road.kind} ${road.score}`]));
        return window.cityflow?.drawn().some((r) => looks.has(r.id) && looks.get(r.id) !== `${r.kind} ${r.score}`);
      },
      before,
      PATIENCE,
    );
    expect(stage.live).toContain('snapshot');
    expect(stage.live).toContain('traffic_update');
    await page.getByText('Live', { exact: true }).waitFor();
  });

  test('opens a road from the list and reads its history and forecast', async () => {
    const { page } = stage;
    const road = (await drawn()).filter((r) => r.kind === 'scored').sort((a, b) => b.score - a.score)[0];
    expect(road).toBeDefined();
    await page.getByLabel('Search roads').fill(road?.id ?? '');
    await page.locator(`[data-road=${JSON.stringify(road?.id)}]`).click();
    await expect.poll(() => new URL(page.url()).hash).toContain('road=');
    await page.locator('.chart-box canvas').waitFor(PATIENCE);
    const rows = page.locator('.forecast tbody tr');
    await expect.poll(() => rows.count(), PATIENCE).toBeGreaterThanOrEqual(4);
    expect(await rows.allInnerTexts()).toEqual(
      expect.arrayContaining([5, 15, 30, 60].map((m): unknown => expect.stringMatching(new RegExp(`^${m} min.*\\d\\.\\d\\d.*%`, 's')))),
    );
    expect(await page.locator('.chart-box').getAttribute('aria-label')).toMatch(/Score from .* lowest \d/);
    await mapIdle(page);
    await screenshot(page, 'panel-light');
  });

  test('opens a road with a click on the map', async () => {
    const { page } = stage;
    await page.getByRole('button', { name: 'Show on map' }).click();
    await page.waitForTimeout(1000);
    await mapIdle(page);
    const current = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('road');
    const hit = await clickSomeRoad(current ?? '');
    expect(hit).not.toBeNull();
    await page.locator('.road').getByText(`Road ${hit ?? ''}`).waitFor();
    await screenshot(page, 'map-click');
  });

  test('goes through the list with the keyboard alone', async () => {
    const { page } = stage;
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByLabel('Search roads').fill('');
    await page.locator('.grid-head button').last().focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('#road-title:focus').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.road').waitFor({ state: 'detached' });
    await page.locator('.grid [data-road]:focus').waitFor();
  });

  test('finds the advice in force, or that there is none', async () => {
    const { page } = stage;
    await page.getByRole('tab', { name: /Advice/ }).click();
    const card = page.locator('.card').first();
    await card.or(page.getByText('No advice now')).waitFor(PATIENCE);
    if (await card.isVisible()) {
      await card.getByRole('button', { pressed: false }).click();
      await card.locator('.card-path').waitFor();
      await page.waitForTimeout(1000);
      await mapIdle(page);
    }
    await screenshot(page, 'advice-light');
    await page.getByRole('tab', { name: 'Roads' }).click();
  });

  test('works in a dark room and on a phone', async () => {
    const { page } = stage;
    await page.getByRole('button', { name: 'Show the whole city' }).click();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForTimeout(1000);
    await mapIdle(page);
    const colours = await waitForColours();
    await screenshot(page, 'map-dark');
    await expectOnScreen(colours);

    await page.getByLabel('Search roads').fill('');
    await page.locator('[data-index="0"]').click();
    await page.locator('.chart-box canvas').waitFor(PATIENCE);
    await screenshot(page, 'panel-dark');
    await page.getByRole('button', { name: 'Close' }).click();

    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole('button', { name: 'Show the whole city' }).click();
    await page.waitForTimeout(1000);
    await mapIdle(page);
    await screenshot(page, 'phone-dark');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBe(0);
  });

  test('stayed on this machine, without an error, and signs out', async () => {
    const { page } = stage;
    expect(stage.foreign).toEqual([]);
    expect(stage.errors).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').waitFor();
    expect(await page.evaluate(() => window.sessionStorage.length)).toBe(0);
  });
});

/** Clicks roads where the map draws them until one opens; its id, or null. */
async function clickSomeRoad(except: string): Promise<string | null> {
  const { page } = stage;
  const box = await page.locator('.map-canvas canvas').first().boundingBox();
  for (const { id } of await drawn()) {
    if (id === except) continue;
    const point = await page.evaluate((road) => window.cityflow?.pointOf(road) ?? null, id);
    const inside = point && box && point.x > box.x + 60 && point.x < box.x + box.width - 60 &&
      point.y > box.y + 60 && point.y < box.y + box.height - 260;
    if (!inside) continue;
    await page.mouse.click(point.x, point.y);
    await page.waitForTimeout(300);
    const opened = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('road');
    // Where streets cross, the click may belong to another one; then the next is tried.
    if (opened === id) return id;
  }
  return null;
}
