import { TABS, type Tab } from '../link/hash';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import { t } from '../text/text';
import { AdviceList } from './advice_list';
import { AlertsList } from './alerts_list';
import { RoadsList } from './roads_list';
import { SkillTable } from './skill_table';

/** The side column, as tabs: the roads as a table, the advice, the alerts, and how good the forecasts are. */
export function Lists({ room }: { room: Room }) {
  const { tab } = useCell(room.view.link);
  const advice = useCell(room.city.advice);
  const alerts = useCell(room.city.alerts);
  const titles: Record<Tab, string> = {
    roads: t('tab.roads'),
    advice: advice?.length ? t('tab.adviceCount', { count: advice.length }) : t('tab.advice'),
    alerts: alerts?.length ? t('tab.alertsCount', { count: alerts.length }) : t('tab.alerts'),
    skill: t('tab.skill'),
  };
  const select = (next: Tab): void => {
    room.view.go({ tab: next });
  };
  return (
    <aside class="lists">
      <div class="tabs" role="tablist" aria-label={t('tabs.label')}>
        {TABS.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={tab === name}
            aria-controls="lists-panel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => {
              select(name);
            }}
            onKeyDown={(event) => {
              moveTab(event, name, select);
            }}
          >
            {titles[name]}
          </button>
        ))}
      </div>
      <div class="lists-panel" id="lists-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'roads' && <RoadsList room={room} />}
        {tab === 'advice' && <AdviceList room={room} />}
        {tab === 'alerts' && <AlertsList room={room} />}
        {tab === 'skill' && <SkillTable room={room} />}
      </div>
    </aside>
  );
}

/** Arrow keys go from tab to tab, as in any tab list. */
function moveTab(event: KeyboardEvent, from: Tab, select: (tab: Tab) => void): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return;
  event.preventDefault();
  const next = TABS[(TABS.indexOf(from) + step + TABS.length) % TABS.length] ?? from;
  select(next);
  document.getElementById(`tab-${next}`)?.focus();
}
