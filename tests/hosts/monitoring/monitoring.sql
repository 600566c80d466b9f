-- Monitor model performance
SELECT
    DATE(scored_at) AS date,
    model_version,
    COUNT(*) AS predictions,
    AVG(fraud_score) AS avg_score,
    SUM(CASE WHEN fraud_score > 0.5 THEN 1 ELSE 0 END) AS flagged_count,
    AVG(latency_ms) AS avg_latency
FROM ml.inference_logs.fraud_detection
GROUP BY DATE(scored_at), model_version
ORDER BY date DESC;
