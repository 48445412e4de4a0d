using System.Text.Json;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>How names of types read in URLs.</summary>
internal static class Names
{
    /// <summary><c>OpenAccount</c> as <c>open-account</c>.</summary>
    public static string InUrl(Type type) => JsonNamingPolicy.KebabCaseLower.ConvertName(type.Name);
}
