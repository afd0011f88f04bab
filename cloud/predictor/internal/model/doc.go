// Package model holds the forecasting models. For now there is one: ewma-lr-v2, the
// seed's, which stays as it is because every later model is measured against it.
//
// A model is arithmetic: it knows neither stores nor clocks. Package predictor feeds
// it and is its only caller.
package model
