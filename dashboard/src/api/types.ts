/** Short names for the generated types; the page never spells a payload out by hand. */
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Problem = Schemas['Problem'];
export type Session = Schemas['Session'];
export type User = Schemas['User'];
export type Reading = Schemas['Reading'];
export type Bucket = Schemas['Bucket'];
export type Prediction = Schemas['Prediction'];
export type Reroute = Schemas['Reroute'];
export type Alert = Schemas['Alert'];
export type Skill = Schemas['Skill'];
export type RoadFeature = Schemas['RoadFeature'];
export type RoadCollection = Schemas['RoadCollection'];
export type RoadProperties = Schemas['RoadProperties'];
export type LiveMessage = Schemas['LiveMessage'];
