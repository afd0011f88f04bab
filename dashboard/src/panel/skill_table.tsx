import { useEffect, useState } from 'preact/hooks';
import { asFailure, type Failure } from '../api/failure';
import type { Skill } from '../api/types';
import { failureText } from '../room/failure_text';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import { t } from '../text/text';
import * as format from '../units/format';

/** How well each model has forecast lately, by horizon, best first. Asks again with each round of forecasts. */
export function SkillTable({ room }: { room: Room }) {
  const round = useCell(room.city.forecastRound);
  const [skill, setSkill] = useState<readonly Skill[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    let wanted = true;
    room.skill().then(
      (list) => {
        if (!wanted) return;
        setSkill(list);
        setFailure(null);
      },
      (error: unknown) => {
        if (wanted) setFailure(asFailure(error));
      },
    );
    return () => {
      wanted = false;
    };
  }, [room, round]);
  if (skill === null) return <p class="empty">{failure ? failureText(failure) : t('skill.loading')}</p>;
  if (skill.length === 0) return <p class="empty">{t('skill.none')}</p>;
  return <Figures skill={skill} />;
}

function Figures({ skill }: { skill: readonly Skill[] }) {
  return (
    <section class="forecast" aria-labelledby="skill-title">
      <h3 id="skill-title">{t('skill.title')}</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('skill.horizon')}</th>
            <th scope="col">{t('skill.model')}</th>
            <th scope="col">{t('skill.error')}</th>
            <th scope="col">{t('skill.better')}</th>
            <th scope="col">{t('skill.inside')}</th>
          </tr>
        </thead>
        <tbody>
          {skill.map((s) => (
            <tr key={`${s.horizon_min} ${s.model_version}`}>
              <th scope="row">{t('unit.min', { value: s.horizon_min })}</th>
              <td>{s.model_version}</td>
              <td>{s.mae === null ? '–' : s.mae.toFixed(3)}</td>
              <td>{share(s.skill_persistence)}</td>
              <td>{share(s.coverage)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">{t('skill.hint')}</p>
    </section>
  );
}

function share(value: number | null): string {
  return value === null ? '–' : format.percent(value);
}
