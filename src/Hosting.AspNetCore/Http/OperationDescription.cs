using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>What the OpenAPI document says of an operation beyond what its handler's signature tells.</summary>
internal static class OperationDescription
{
    private const string Json = "application/json";

    /// <summary>Describes a parameter that the handler declares.</summary>
    public static void Describe(this OpenApiOperation operation, string parameter, string description, string? example = null)
    {
        if (operation.Parameters?.OfType<OpenApiParameter>().FirstOrDefault(p => p.Name == parameter) is not { } declared)
            throw new InvalidOperationException($"The operation {operation.OperationId} has no parameter '{parameter}'.");
        declared.Description = description;
        if (example is not null)
            declared.Example = example;
    }

    /// <summary>Declares a parameter that the handler reads from the request.</summary>
    public static void Declare(this OpenApiOperation operation, ParameterLocation location, string parameter, OpenApiSchema schema,
        string description) =>
        (operation.Parameters ??= []).Add(new OpenApiParameter
        {
            Name = parameter,
            In = location,
            Schema = schema,
            Description = description,
        });

    /// <summary>Gives an example of the body.</summary>
    public static void Takes(this OpenApiOperation operation, JsonNode example)
    {
        if (operation.RequestBody?.Content is { } content && content.TryGetValue(Json, out OpenApiMediaType? body))
            body.Example = example;
    }

    /// <summary>Gives an example of the answer 200, and its schema when the handler declares none.</summary>
    public static void Answers(this OpenApiOperation operation, JsonNode example, OpenApiSchema? schema = null)
    {
        OpenApiResponses responses = operation.Responses ??= [];
        if (!responses.TryGetValue("200", out IOpenApiResponse? known) || known is not OpenApiResponse ok)
            responses["200"] = ok = new OpenApiResponse { Description = "OK" };
        ok.Content ??= new Dictionary<string, OpenApiMediaType>();
        if (!ok.Content.TryGetValue(Json, out OpenApiMediaType? body))
            ok.Content[Json] = body = new OpenApiMediaType();
        body.Example = example;
        body.Schema ??= schema;
    }
}
