package traffic

import "time"

// A Duel compares a model with a baseline on the forecasts that both made.
type Duel struct {
	// Weight is how many forecasts were compared, older ones counting less.
	Weight float64
	// Own and Other are the sums of the absolute errors of the model and the baseline.
	Own, Other float64
}

// Skill is 1 - the model's mean error / the baseline's: 1 is perfect, 0 is no better
// than the baseline, negative is worse. Absent without a comparison, or when the
// baseline made no error.
func (d Duel) Skill() Value {
	if d.Weight <= 0 || d.Other <= 0 {
		return Value{}
	}
	return Some(1 - d.Own/d.Other)
}

func (d *Duel) add(o Duel) {
	d.Weight, d.Own, d.Other = d.Weight+o.Weight, d.Own+o.Own, d.Other+o.Other
}

// A Skill is how well one model has forecast the roads of one group lately: sums over
// the forecasts whose truth has come, older ones counting less. Sums of several shards
// add up. (Shard, Model, HorizonMin, Group) names it.
type Skill struct {
	// Shard is the predictor that measured it, 0 where there is one.
	Shard      int
	Model      string
	HorizonMin int
	// Group is the class of the roads; "unclassified" where it is not known.
	Group string
	// Through is the newest event time whose measurements are counted.
	Through time.Time
	// Served says that this model speaks for the group, where it can.
	Served bool
	// Demoted says that it may not, because it lost to a baseline.
	Demoted bool
	// Weight is how many forecasts were scored.
	Weight float64
	// AbsErr and Err are sums of absolute and of signed errors of the congestion score
	// (forecast minus measurement).
	AbsErr, Err float64
	// Intervals is how many of them came with an interval, Covered in how many of those
	// the truth lay.
	Intervals, Covered float64
	// Persistence and Profile compare with these baselines.
	Persistence, Profile Duel
}

// Add counts what another shard found for the same model.
func (s *Skill) Add(o *Skill) {
	s.Weight, s.AbsErr, s.Err = s.Weight+o.Weight, s.AbsErr+o.AbsErr, s.Err+o.Err
	s.Intervals, s.Covered = s.Intervals+o.Intervals, s.Covered+o.Covered
	s.Persistence.add(o.Persistence)
	s.Profile.add(o.Profile)
	if o.Through.After(s.Through) {
		s.Through = o.Through
	}
	s.Served, s.Demoted = s.Served || o.Served, s.Demoted || o.Demoted
}

// MAE is the mean absolute error of the congestion score; absent before the first truth.
func (s *Skill) MAE() Value { return ratio(s.AbsErr, s.Weight) }

// Bias is the mean of forecast minus measurement; absent before the first truth.
func (s *Skill) Bias() Value { return ratio(s.Err, s.Weight) }

// Coverage is the share of the intervals that held the truth, 0.8 when they are right.
func (s *Skill) Coverage() Value { return ratio(s.Covered, s.Intervals) }

func ratio(sum, weight float64) Value {
	if weight <= 0 {
		return Value{}
	}
	return Some(sum / weight)
}
