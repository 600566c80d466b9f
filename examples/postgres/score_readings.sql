CREATE SCHEMA udf;
CREATE FUNCTION udf.AnomalyScore(t float8, h float8, p float8) RETURNS float8 STABLE PARALLEL SAFE LANGUAGE sql
	RETURN public.scoreline('iot', t, h, p);

CREATE TEMP TABLE readings AS SELECT * FROM (VALUES
	('oven', 98.5, 35.25, 1012.5), ('cellar', 44.0, 41.5, 1013.25), ('roof', NULL, 80.0, 1013.0))
	AS t(device_id, temperature, humidity, pressure);

SELECT device_id, udf.AnomalyScore(temperature, humidity, pressure) FROM readings;
