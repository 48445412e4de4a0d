using System.Net;
using System.Text.Json;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>A Schema Registry in this process, with Confluent's REST interface for Avro schemas, kept in Kafka. Thread-safe.</summary>
public sealed class EmbeddedSchemaRegistry : IAsyncDisposable
{
    private const string ContentType = "application/vnd.schemaregistry.v1+json";

    private const int StoreError = 50001;

    private static readonly string[] Types = ["AVRO"];

    private static readonly string[] Contexts = ["."]; // the default one: there are no others

    private readonly WebApplication _web;
    private readonly SchemaStore _store;

    private EmbeddedSchemaRegistry(WebApplication web, SchemaStore store, string url) => (_web, _store, Url) = (web, store, url);

    /// <summary>What clients take as <c>schema.registry.url</c>.</summary>
    public string Url { get; }

    /// <summary>Who decides when the web host ends.</summary>
    internal IHostLifetime Lifetime => _web.Services.GetRequiredService<IHostLifetime>();

    /// <summary>Starts a registry; it returns when all schemas are read and clients can connect.</summary>
    /// <exception cref="IOException">The port is in use.</exception>
    public static async Task<EmbeddedSchemaRegistry> StartAsync(
        EmbeddedSchemaRegistryOptions options, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        SchemaStore store = await SchemaStore.Open(options,
            (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<EmbeddedSchemaRegistry>(), cancellationToken).ConfigureAwait(false);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Parse(options.Host), options.Port, listen =>
            {
                if (options.Certificate is { } certificate)
                    listen.UseHttps(certificate);
            });
        });
        if (options.Certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        if (loggerFactory is not null)
            builder.Services.AddSingleton<ILoggerFactory>(new WarningsOnly(loggerFactory));
        builder.Services.AddSingleton<IHostLifetime, GuestLifetime>();
        builder.Services.AddLogging();
        builder.Services.AddRouting();
        WebApplication web = builder.Build();
        web.Use(Answer);
        if (options.Users.Count > 0)
            web.Use(new BasicAuthentication(options.Users).Check);
        web.UseRouting();
        Map(web, store);
        try
        {
            await web.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failed)
        {
            await web.DisposeAsync().ConfigureAwait(false);
            await store.DisposeAsync().ConfigureAwait(false);
            if (failed is IOException { InnerException: AddressInUseException })
                throw new IOException($"Port {options.Port} of {options.Host}, which the Schema Registry shall listen on, is in use: give "
                    + $"another one, or 0 for a free one.", failed);
            throw;
        }

        return new EmbeddedSchemaRegistry(web, store, web.Urls.First());
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync().ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
        await _store.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task Answer(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context).ConfigureAwait(false);
            if (context.Response is { StatusCode: StatusCodes.Status404NotFound, HasStarted: false })
                await Write(context, StatusCodes.Status404NotFound, new
                {
                    error_code = 404, message = "HTTP 404 Not Found"
                }).ConfigureAwait(false);
        }
        catch (RegistryException refused)
        {
            await Write(context, refused.Status, new { error_code = refused.Code, message = refused.Message }).ConfigureAwait(false);
        }
        catch (KafkaException away)
        {
            await Write(context, StatusCodes.Status500InternalServerError,
                new { error_code = StoreError, message = $"Error in the backend data store: {away.Error.Reason}" }).ConfigureAwait(false);
        }
        catch (Exception malformed) when (malformed is JsonException or BadHttpRequestException)
        {
            await Write(context, StatusCodes.Status422UnprocessableEntity,
                new { error_code = 422, message = $"The request cannot be read: {malformed.Message}" }).ConfigureAwait(false);
        }
    }

    private static Task Write(HttpContext context, int status, object body)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(body, (JsonSerializerOptions?)null, ContentType, context.RequestAborted);
    }

    private static void Map(IEndpointRouteBuilder routes, SchemaStore store)
    {
        void Get(string pattern, Func<HttpContext, object> answer) =>
            routes.MapGet(pattern, (HttpContext c) => Write(c, StatusCodes.Status200OK, answer(c)));
        void On(string method, string pattern, Func<HttpContext, Task<object>> answer) =>
            routes.MapMethods(pattern, [method], async (HttpContext c) =>
                await Write(c, StatusCodes.Status200OK, await answer(c).ConfigureAwait(false)).ConfigureAwait(false));
        static bool Flag(HttpContext context, string name) =>
            string.Equals(context.Request.Query[name], "true", StringComparison.OrdinalIgnoreCase);
        static string Value(HttpContext context, string name) => Uri.UnescapeDataString((string)context.Request.RouteValues[name]!);
        static int Id(HttpContext context) => int.TryParse(Value(context, "id"), out int id)
            ? id
            : throw RegistryException.SchemaNotFound();
        static async Task<SchemaRequest> Body(HttpContext context) =>
            await JsonSerializer.DeserializeAsync<SchemaRequest>(context.Request.Body,
                cancellationToken: context.RequestAborted).ConfigureAwait(false) ?? new SchemaRequest();

        Get("/", _ => new { });
        Get("/subjects", c => store.Subjects(Flag(c, "deleted"), c.Request.Query["subjectPrefix"]));
        Get("/subjects/{subject}/versions", c => store.Versions(Value(c, "subject"), Flag(c, "deleted")).Select(v => v.Version));
        Get("/subjects/{subject}/versions/{version}",
            c => Shown(store.Version(Value(c, "subject"), Value(c, "version"), Flag(c, "deleted"))));
        Get("/subjects/{subject}/versions/{version}/referencedby",
            c => store.ReferencedBy(store.Version(Value(c, "subject"), Value(c, "version"), deleted: false)));
        routes.MapGet("/subjects/{subject}/versions/{version}/schema", (HttpContext c) =>
            Results.Text(store.Version(Value(c, "subject"), Value(c, "version"), Flag(c, "deleted")).Schema, ContentType));
        On("POST", "/subjects/{subject}", async c =>
            Shown(store.Lookup(Value(c, "subject"), await Body(c).ConfigureAwait(false), Flag(c, "deleted"), Flag(c, "normalize"))));
        On("POST", "/subjects/{subject}/versions", async c =>
            Shown(await store.Register(Value(c, "subject"), await Body(c).ConfigureAwait(false),
                Flag(c, "normalize")).ConfigureAwait(false)));
        On("DELETE", "/subjects/{subject}", async c =>
            await store.DeleteSubject(Value(c, "subject"), Flag(c, "permanent")).ConfigureAwait(false));
        On("DELETE", "/subjects/{subject}/versions/{version}",
            async c => await store.DeleteVersion(Value(c, "subject"), Value(c, "version"), Flag(c, "permanent")).ConfigureAwait(false));

        Get("/contexts", _ => Contexts);
        Get("/schemas/types", _ => Types);
        Get("/schemas/ids/{id}", c => ById(store.OfId(Id(c))[0]));
        routes.MapGet("/schemas/ids/{id}/schema", (HttpContext c) => Results.Text(store.OfId(Id(c))[0].Schema, ContentType));
        Get("/schemas/ids/{id}/subjects",
            c => store.OfId(Id(c)).Where(s => !s.Deleted || Flag(c, "deleted")).Select(s => s.Subject).Distinct());
        Get("/schemas/ids/{id}/versions", c =>
            store.OfId(Id(c)).Where(s => !s.Deleted || Flag(c, "deleted")).Select(s => new { subject = s.Subject, version = s.Version }));
        Get("/schemas/guids/{guid}", c => ById(store.OfGuid(Value(c, "guid"))[0]));
        Get("/schemas/guids/{guid}/ids",
            c => store.OfGuid(Value(c, "guid")).Select(s => s.Id).Distinct().Select(id => new { context = ".", id }));
        Get("/schemas", c => store.Subjects(Flag(c, "deleted"), c.Request.Query["subjectPrefix"]).SelectMany(s =>
            store.Versions(s, Flag(c, "deleted"))).Select(Shown));

        On("POST", "/compatibility/subjects/{subject}/versions/{version}", async c =>
            Verdict(store.Compatibility(Value(c, "subject"), Value(c, "version"), await Body(c).ConfigureAwait(false)),
                Flag(c, "verbose")));
        On("POST", "/compatibility/subjects/{subject}/versions",
            async c => Verdict(store.Compatibility(Value(c, "subject"), null, await Body(c).ConfigureAwait(false)), Flag(c, "verbose")));

        foreach (string pattern in (string[])["/config", "/config/{subject}"])
        {
            Get(pattern, c => new { compatibilityLevel = store.Level(Subject(c))
                ?? (Subject(c) is null || Flag(c, "defaultToGlobal")
                    ? store.LevelOf(null).Name()
                    : throw new RegistryException(40408,
                        $"Subject '{Subject(c)}' does not have subject-level compatibility configured")) });
            On("PUT", pattern, async c =>
            {
                CompatibilityLevel level = CompatibilityLevels.Parse(await Text(c, "compatibility").ConfigureAwait(false));
                await store.SetLevel(Subject(c), level).ConfigureAwait(false);
                return new { compatibility = level.Name() };
            });
            On("DELETE", pattern, async c =>
            {
                string before = store.LevelOf(Subject(c)).Name();
                await store.DeleteLevel(Subject(c)).ConfigureAwait(false);
                return new { compatibilityLevel = before };
            });
        }

        foreach (string pattern in (string[])["/mode", "/mode/{subject}"])
        {
            Get(pattern, c =>
                new { mode = store.Mode(Subject(c))
                    ?? (Subject(c) is null || Flag(c, "defaultToGlobal")
                        ? store.ModeOf(null)
                        : throw new RegistryException(40409, $"Subject '{Subject(c)}' does not have subject-level mode configured")) });
            On("PUT", pattern, async c =>
            {
                string? mode = await Text(c, "mode").ConfigureAwait(false);
                await store.SetMode(Subject(c), mode).ConfigureAwait(false);
                return new { mode };
            });
            On("DELETE", pattern, async c =>
            {
                string before = store.ModeOf(Subject(c));
                await store.DeleteMode(Subject(c)).ConfigureAwait(false);
                return new { mode = before };
            });
        }

        static string? Subject(HttpContext context) =>
            context.Request.RouteValues.ContainsKey("subject") ? Value(context, "subject") : null;
        static async Task<string?> Text(HttpContext context, string name)
        {
            using JsonDocument body = await JsonDocument.ParseAsync(context.Request.Body,
                cancellationToken: context.RequestAborted).ConfigureAwait(false);
            return body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty(name, out JsonElement value)
                ? value.GetString()
                : null;
        }
    }

    private static object Verdict(List<string> problems, bool verbose) =>
        verbose ? new { is_compatible = problems.Count == 0, messages = problems } : new { is_compatible = problems.Count == 0 };

    private static Dictionary<string, object> ById(RegisteredSchema schema)
    {
        var shown = new Dictionary<string, object> { ["schema"] = schema.Schema, ["guid"] = schema.Guid.ToString() };
        if (schema.References is { } references)
            shown["references"] = references;
        return shown;
    }

    private static Dictionary<string, object> Shown(RegisteredSchema schema)
    {
        Dictionary<string, object> shown = ById(schema);
        shown["subject"] = schema.Subject;
        shown["version"] = schema.Version;
        shown["id"] = schema.Id;
        return shown;
    }
}
