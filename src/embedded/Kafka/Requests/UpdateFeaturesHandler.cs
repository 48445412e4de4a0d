using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>UpdateFeatures: the levels of features, which are fixed here.</summary>
internal static class UpdateFeaturesHandler
{
    private const short TopLevelErrorOnlyVersion = 2;

    public static UpdateFeaturesResponse Handle(RequestContext context, UpdateFeaturesRequest request)
    {
        var results = request.FeatureUpdates.ConvertAll(update =>
        {
            (ErrorCode error, string? message) =
                !Features.Levels.TryGetValue(update.Feature, out short level) ? (ErrorCode.InvalidUpdateVersion,
                    $"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. The feature is unknown to this broker.")
                : update.MaxVersionLevel != level
                ? (ErrorCode.InvalidUpdateVersion,
                    $"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. This broker runs level {level} only.")
                : (ErrorCode.None, (string?)null);
            return new UpdateFeaturesResponse.Result { Feature = update.Feature, ErrorCode = (short)error, ErrorMessage = message };
        });
        UpdateFeaturesResponse.Result? failed = context.Version >= TopLevelErrorOnlyVersion
            ? results.FirstOrDefault(r => r.ErrorCode != 0)
            : null;
        return new UpdateFeaturesResponse { Results = results, ErrorCode = failed?.ErrorCode ?? 0, ErrorMessage = failed?.ErrorMessage };
    }
}
