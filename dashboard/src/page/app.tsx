import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Fetch } from '../api/http';
import type { SessionKeeper } from '../api/session';
import type { Cell } from '../cell/cell';
import { parseCode } from '../link/hash';
import type { Theme } from '../theme/theme';
import { ControlRoom } from './control_room';
import { useCell } from '../room/hooks';
import { LoginPage } from './login';
import { Room } from '../room/room';

interface AppProps {
  readonly session: SessionKeeper;
  readonly theme: Cell<Theme>;
  readonly fetchFn: Fetch;
}

/** The page: the login, or the control room of who is signed in. */
export function App({ session, theme, fetchFn }: AppProps) {
  const login = useCell(session.login);
  const code = useCode(session);
  if (login.user === null || code === 'busy') {
    return <LoginPage session={session} code={code} ended={login.user === null && login.ended} />;
  }
  return <SignedIn key={login.user.id} session={session} theme={theme} fetchFn={fetchFn} />;
}

function SignedIn({ session, theme, fetchFn }: AppProps) {
  const room = useMemo(() => new Room(session, theme, fetchFn, window), [session, theme, fetchFn]);
  useEffect(() => {
    room.start();
    return () => {
      room.stop();
    };
  }, [room]);
  return <ControlRoom room={room} />;
}

export type CodeState = 'none' | 'busy' | 'refused';

/**
 * Signs in with the one-time code of the address, if there is one. The code leaves
 * the address and the history first, whatever becomes of it.
 */
function useCode(session: SessionKeeper): CodeState {
  const [code] = useState(() => parseCode(window.location.hash));
  const [state, setState] = useState<CodeState>(code === null ? 'none' : 'busy');
  useEffect(() => {
    if (code === null) return;
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
    session.signInWithCode(code).then(
      () => {
        setState('none');
      },
      () => {
        setState('refused');
      },
    );
  }, [code, session]);
  return state;
}
