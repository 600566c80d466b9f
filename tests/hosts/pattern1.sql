-- Stream Analytics with Azure ML
WITH ScoredEvents AS (
    SELECT
        device_id,
        temperature,
        humidity,
        pressure,
        udf.AnomalyScore(temperature, humidity, pressure) AS anomaly_score
    FROM [iot-input]
)
SELECT
    device_id,
    temperature,
    humidity,
    pressure,
    anomaly_score,
    CASE WHEN anomaly_score > 0.8 THEN 'CRITICAL'
         WHEN anomaly_score > 0.5 THEN 'WARNING'
         ELSE 'NORMAL'
    END AS status
INTO [scored-output]
FROM ScoredEvents
