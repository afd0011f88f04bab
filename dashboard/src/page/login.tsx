import { useState } from 'preact/hooks';
import { asFailure } from '../api/failure';
import type { SessionKeeper } from '../api/session';
import { t } from '../text/text';
import type { CodeState } from './app';
import { failureText } from '../room/failure_text';
import { Logo } from './logo';

interface LoginProps {
  readonly session: SessionKeeper;
  readonly code: CodeState;
  /** Whether a login ran out, rather than nobody having signed in yet. */
  readonly ended: boolean;
}

export function LoginPage({ session, code, ended }: LoginProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem(null);
    try {
      await session.signIn(field(form, 'email').trim(), field(form, 'password'));
    } catch (error) {
      setProblem(loginProblem(error));
      setBusy(false);
    }
  };

  const message = problem ?? noticeOf(code, ended);
  return (
    <main class="login">
      <form class="login-card" onSubmit={(event) => void submit(event)}>
        <Logo />
        <p class="login-lead">{t('login.lead')}</p>
        {code === 'busy' ? (
          <p role="status">{t('login.code')}</p>
        ) : (
          <Fields busy={busy} message={message} />
        )}
      </form>
    </main>
  );
}

function Fields({ busy, message }: { busy: boolean; message: string | null }) {
  return (
    <>
      <label>
        <span>{t('login.email')}</span>
        <input name="email" type="email" autocomplete="username" required autofocus />
      </label>
      <label>
        <span>{t('login.password')}</span>
        <input name="password" type="password" autocomplete="current-password" required />
      </label>
      <p class="login-problem" role="alert">
        {message}
      </p>
      <button class="primary" type="submit" disabled={busy}>
        {busy ? t('login.busy') : t('login.submit')}
      </button>
      <p class="login-help">{t('login.help')}</p>
    </>
  );
}

function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}

function noticeOf(code: CodeState, ended: boolean): string | null {
  if (code === 'refused') return t('login.badCode');
  return ended ? t('login.ended') : null;
}

function loginProblem(error: unknown): string {
  const failure = asFailure(error);
  // The server also refuses a password that is too short to be anybody's.
  const wrong = failure.kind === 'unauthorised' || failure.status === 400;
  return wrong ? t('login.wrong') : failureText(failure);
}
