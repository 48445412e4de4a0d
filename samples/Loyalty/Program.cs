// An ASP.NET application that exists, and adds one aggregate: the points of its customers.
//
//   dotnet run --project samples/Loyalty -c Release -- --urls http://localhost:8080
//   curl -X POST 'localhost:8080/customers/ada/orders?cents=1250'
//   curl -X POST 'localhost:8080/customers/ada/rewards?points=10'
//   curl localhost:8080/customers/ada
using KafkaEventSourcing;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using Loyalty;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddProblemDetails();
builder.Services.AddSingleton(new Dictionary<string, string> { ["ada"] = "Ada", ["grace"] = "Grace" }); // what the application had before

// New: the aggregate and, below, the routes of its HTTP interface. Addresses of servers are read from the configuration; without them the
// embedded ones run.
builder.Services.AddKafkaEventSourcing("loyalty", builder.Configuration.GetSection("KafkaEventSourcing"))
    .AddAggregate(Points.Definition)
    .UseEmbeddedServers();

WebApplication app = builder.Build();
app.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
// commands and aggregates, as in every application of the library; add .RequireAuthorization() as to any route group
app.MapKafkaEventSourcing("/events");

// Endpoints of the application's own, which were there and use the aggregate now.
app.MapGet("/customers/{id}", async (AggregateId id, Dictionary<string, string> names, IAggregateClient<PointsState> points,
    CancellationToken cancellationToken) =>
    names.TryGetValue(id.Value, out string? name)
        ? Results.Ok(new { name, points = (await points.ReadAsync(id, cancellationToken))?.State.Balance ?? 0 })
        : Results.NotFound());
app.MapPost("/customers/{id}/orders", async (AggregateId id, int cents, IAggregateClient<PointsState> points,
    CancellationToken cancellationToken) =>
    Answer(await points.SendAsync(id, new EarnPoints { Points = cents / 100, Reason = "An order." }, cancellationToken)));
app.MapPost("/customers/{id}/rewards", async (AggregateId id, [Microsoft.AspNetCore.Mvc.FromQuery(Name = "points")] int spent,
    IAggregateClient<PointsState> points, CancellationToken cancellationToken) =>
    Answer(await points.SendAsync(id, new SpendPoints { Points = spent }, cancellationToken)));
app.Run();

static IResult Answer(CommandResult result) => result switch
{
    CommandResult.Accepted accepted => Results.Ok(new { accepted.Version }),
    CommandResult.Rejected rejected =>
        Results.Problem(rejected.Rejection.Message, statusCode: StatusCodes.Status422UnprocessableEntity, title: rejected.Rejection.Code),
    CommandResult.Conflict => Results.Conflict(),
    CommandResult other => Results.Problem($"The outcome is {other.GetType().Name}."),
};
