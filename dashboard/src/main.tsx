/** Starts the page: one session, one theme, one root. */
import { render } from 'preact';
import { SessionKeeper } from './api/session';
import { App } from './page/app';
import './page/style.css';
import { t } from './text/text';
import { followTheme } from './theme/follow';

const fetchFn = window.fetch.bind(window);
const session = new SessionKeeper(fetchFn, window.sessionStorage);
const theme = followTheme(window);
const root = document.getElementById('app');

document.title = t('app.title');
if (root) render(<App session={session} theme={theme} fetchFn={fetchFn} />, root);
